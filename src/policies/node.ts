import { randomUUID } from 'node:crypto';
import type { Provider } from '../core/provider.js';

const nodes = new WeakMap<Provider, string>();

/** What this process calls itself towards the others that use a provider. */
export function nodeOf(provider: Provider): string {
  let node = nodes.get(provider);
  if (node === undefined) nodes.set(provider, (node = randomUUID()));
  return node;
}
