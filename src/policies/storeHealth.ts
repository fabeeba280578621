import type { Runtime } from '../core/policy.js';

/** Makes events of the changes in a provider's health. Returns how to stop. */
export function tellOf({ provider, events }: Runtime): (() => void) | undefined {
  const premier = { name: 'premier' };
  return provider.watch?.((change) => {
    if (change.up) events.emit('storeUp', premier, { store: change.store, seconds: change.seconds });
    else events.emit('storeDown', premier, { store: change.store, error: change.error });
  });
}
