/** What tests need: a clock that stands still, and the laws that prove a provider. */
export { FakeClock } from './fakeClock.js';
export { algorithmLaws, type Law, providerLaws, type ProviderUnderTest } from './laws.js';
