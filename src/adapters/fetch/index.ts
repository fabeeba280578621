/** Policies for requests that go out: a `fetch`, and an interceptor of undici. */
export { createFetch, type FetchOptions, type FetchPolicies } from './createFetch.js';
export { type InterceptorOptions, premierInterceptor } from './interceptor.js';
export type { FetchCacheOptions } from './cacheRules.js';
export type {
  ClientBreakerOptions,
  ClientLimitOptions,
  ClientOptions,
  ClientPolicies,
  ClientRetryOptions,
  ClientTimeoutOptions,
} from './clientOptions.js';
export type { Fetch, FetchInput } from './fetchTrip.js';
export type { Outgoing } from './outgoing.js';
