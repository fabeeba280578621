import type { Answer } from '../exchange.js';
import { type RawHeaders } from '../headers.js';
import type { Head, Lease } from './storable.js';
import { storedFields } from './storedFields.js';

/** A complete answer as it lies in a store: plain data, so that every codec carries it. */
export interface Stored extends Lease {
  readonly kind: 'answer 1';
  readonly status: number;
  readonly headers: RawHeaders;
  readonly body: Uint8Array;
}

/** What lies under an address whose answers differ by request fields: each of them lies under a key of its own. */
export interface Variants {
  readonly kind: 'variants 1';
  readonly fields: readonly string[];
  /** Part of the keys of its answers: without this entry nobody finds them again. */
  readonly generation: string;
  readonly keepUntil: number;
}

/** An answer to keep. */
export function storedOf(head: Head, body: Uint8Array, lease: Lease): Stored {
  const headers = storedFields(head.headers, head.receivedAt, body.length);
  return { kind: 'answer 1', status: head.status, headers, body, ...lease };
}

/** What a store gave back, if this is what was put there. */
export function knownOf(value: unknown): Stored | Variants | undefined {
  const kind = (value as { readonly kind?: unknown } | undefined | null)?.kind;
  return kind === 'answer 1' || kind === 'variants 1' ? (value as Stored | Variants) : undefined;
}

/** How the cache answered, as `X-Cache` says it. */
export type Outcome = 'HIT' | 'MISS' | 'STALE' | 'BYPASS' | 'REVALIDATED';

/** The answer with what the cache says about itself (RFC 9211), in place of what caches before it said in `X-Cache`. */
export function marked(answer: Answer, outcome: Outcome, status: string): Answer {
  const { headers } = answer;
  for (let i = headers.length - 2; i >= 0; i -= 2)
    if (headers[i]?.length === 7 && headers[i]?.toLowerCase() === 'x-cache') headers.splice(i, 2);
  headers.push('X-Cache', outcome, 'Cache-Status', `premier; ${status}`);
  return answer;
}
