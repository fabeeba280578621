import { parseDirectives } from '../../http/caching/directives.js';
import { type Head, type Lease, leaseOf } from '../../http/caching/storable.js';
import { isNamed, joinedOf, type RawHeaders, removeHeader, setHeader } from '../../http/headers.js';
import type { CacheRules } from './cacheRules.js';
import type { Kept } from './cacheStore.js';

/** Whether a private cache may keep an answer, and for how long: what is said to shared caches is not for it (RFC 9111 5.2.2.10, RFC 9213). */
export function privateLeaseOf(head: Head, { rules }: CacheRules): Lease | undefined {
  return leaseOf({ ...head, headers: forPrivate(head.headers) }, noAsker, rules);
}

const noAsker = { authorized: false, consumer: false, cookie: false };

function forPrivate(headers: RawHeaders): RawHeaders {
  const heard = headers.slice();
  removeHeader(heard, 'cdn-cache-control');
  const field = joinedOf(heard, 'cache-control');
  if (field === undefined || !/s-maxage|proxy-revalidate/i.test(field)) return heard;
  const rest = [...parseDirectives(field)].filter(([name]) => name !== 's-maxage' && name !== 'proxy-revalidate');
  setHeader(heard, 'cache-control', rest.map(([name, argument]) => (argument === '' ? name : `${name}="${argument}"`)).join(', '));
  return heard;
}

/** The fields that ask a server whether an answer still holds; nothing where it cannot be asked. */
export function conditionsOf({ stored: { headers } }: Kept): Record<string, string> | undefined {
  const tag = joinedOf(headers, 'etag');
  const modified = joinedOf(headers, 'last-modified');
  if (tag === undefined && modified === undefined) return undefined;
  return { ...(tag === undefined ? {} : { 'if-none-match': tag }), ...(modified === undefined ? {} : { 'if-modified-since': modified }) };
}

/** A response made of what is kept. Each caller has a body of its own. */
export function servedOf({ stored, statusText }: Kept, url: string, method: string, now: number, told: string): Response {
  const { status, headers, body, bornAt, freshUntil } = stored;
  const fields = new Headers();
  for (let i = 0; i < headers.length; i += 2) {
    // The length is that of a body that fetch has decoded: a caller who sums up what the network carried would be misled by neither.
    if (!isNamed(headers[i] as string, 'cache-status')) fields.append(headers[i] as string, headers[i + 1] as string);
  }
  fields.set('age', String(Math.max(0, Math.floor((now - bornAt) / 1000))));
  const left = Number.isFinite(freshUntil) && freshUntil > 0 ? `; ttl=${Math.floor((freshUntil - now) / 1000)}` : '';
  fields.append('cache-status', `premier; ${told}${left}`);
  const bare = method === 'HEAD' || status === 204 || status === 205;
  return at(new Response(bare ? null : (body as Uint8Array<ArrayBuffer>), { status, statusText, headers: fields }), url);
}

/** What `only-if-cached` gets where nothing is kept (RFC 9111 5.2.1.7). */
export function notKept(url: string): Response {
  return at(new Response(null, { status: 504, statusText: 'Gateway Timeout', headers: { 'cache-status': 'premier; fwd=miss' } }), url);
}

/** A response made by hand does not know where it comes from. */
function at(response: Response, url: string): Response {
  return Object.defineProperty(response, 'url', { value: url });
}

/**
 * The same response, whose body is told of once it was read to its end: nothing of it when it broke off, was given up, or is too long. What its
 * reader cancels is cancelled: a copy beside it (`clone`) would hold the connection.
 */
export function observed(response: Response, url: string, longest: number, told: (body: Uint8Array | undefined) => void): Response {
  const { body, status, statusText, headers } = response;
  if (body === null) {
    told(new Uint8Array());
    return response;
  }
  const reader = body.getReader();
  let chunks: Uint8Array<ArrayBuffer>[] | undefined = [];
  let size = 0;
  const giveUp = (): void => {
    if (chunks !== undefined) told(undefined);
    chunks = undefined;
  };
  const through = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) {
            size += value.byteLength;
            if (size > longest) giveUp();
            chunks?.push(value.slice());
            return controller.enqueue(value);
          }
        } catch (error) {
          giveUp();
          throw error;
        }
        if (chunks !== undefined) told(Buffer.concat(chunks));
        chunks = undefined;
        controller.close();
      },
      cancel(reason) {
        giveUp();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return at(new Response(through, { status, statusText, headers }), url);
}
