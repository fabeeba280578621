import { headerOf, headersOf, joinedOf, type RawHeaders } from '../headers.js';
import { parseDate } from './dates.js';
import { type Directives, parseDirectives, spanOf } from './directives.js';
import { parseTargeted } from './targeted.js';

/** What an upstream says about keeping its answer. Spans in milliseconds. */
export interface Terms {
  /** Whether it says anything. */
  readonly spoken: boolean;
  /** How long the answer is fresh, where that is said. */
  readonly lifetime: number | undefined;
  readonly noStore: boolean;
  /** Kept, but asked about before each use. */
  readonly noCache: boolean;
  readonly private: boolean;
  /** Whether it may be kept whatever its status is. */
  readonly public: boolean;
  readonly mustUnderstand: boolean;
  /** Whether it may be given to others although the request had `Authorization` (RFC 9111 3.5). */
  readonly shared: boolean;
  /** Whether it may never be used once it is stale (RFC 9111 4.2.4). */
  readonly strict: boolean;
  /** RFC 5861. */
  readonly staleWhileRevalidate: number | undefined;
  readonly staleIfError: number | undefined;
}

/** Reads what an answer says: a valid `CDN-Cache-Control` in place of `Cache-Control` and `Expires` (RFC 9213 2.2). */
export function termsOf(headers: RawHeaders, now: number): Terms {
  const targeted = joinedOf(headers, 'cdn-cache-control');
  const replaced = targeted === undefined ? undefined : parseTargeted(targeted);
  if (replaced) return read(replaced, undefined);
  const field = joinedOf(headers, 'cache-control');
  // Pragma has no meaning in answers, but what sends it without Cache-Control means it (RFC 9111 5.4).
  if (field === undefined && (joinedOf(headers, 'pragma') ?? '').toLowerCase().includes('no-cache')) return read(noCache, undefined);
  return read(field === undefined ? nothing : parseDirectives(field), expiresIn(headers, now));
}

const nothing: Directives = new Map();
const noCache: Directives = new Map([['no-cache', '']]);

function read(given: Directives, expires: number | undefined): Terms {
  const sMaxAge = spanOf(given, 's-maxage');
  const mustRevalidate = given.has('must-revalidate');
  return {
    spoken: given.size > 0 || expires !== undefined,
    lifetime: sMaxAge ?? spanOf(given, 'max-age') ?? expires,
    noStore: given.has('no-store'),
    // `no-cache="field"` and `private="field"` may be read as if they named none (RFC 9111 5.2.2.4, 5.2.2.7).
    noCache: given.has('no-cache'),
    private: given.has('private'),
    public: given.has('public'),
    mustUnderstand: given.has('must-understand'),
    shared: sMaxAge !== undefined || given.has('public') || mustRevalidate,
    strict: mustRevalidate || sMaxAge !== undefined || given.has('proxy-revalidate') || given.has('no-cache'),
    staleWhileRevalidate: spanOf(given, 'stale-while-revalidate'),
    staleIfError: spanOf(given, 'stale-if-error'),
  };
}

/** How long `Expires` is ahead of `Date`. What is invalid or said twice is stale. */
function expiresIn(headers: RawHeaders, now: number): number | undefined {
  const [expires, second] = headersOf(headers, 'expires');
  if (expires === undefined) return undefined;
  const at = second === undefined ? parseDate(expires, now) : undefined;
  if (at === undefined) return 0;
  return Math.max(0, at - (parseDate(headerOf(headers, 'date'), now) ?? now));
}

/** When the answer was made, by the age that it has on arrival (RFC 9111 4.2.3). `Date` counts whole seconds, and so does this. */
export function bornAt(headers: RawHeaders, requestedAt: number, receivedAt: number): number {
  const date = parseDate(headerOf(headers, 'date'), receivedAt) ?? receivedAt;
  const apparent = Math.max(0, Math.floor((receivedAt - date) / 1000) * 1000);
  const age = /^\s*(\d+)\s*(?:,|$)/.exec(headerOf(headers, 'age') ?? '');
  if (age === null) return receivedAt - apparent;
  return receivedAt - Math.max(apparent, Math.min(Number(age[1]), 2 ** 31) * 1000 + receivedAt - requestedAt);
}
