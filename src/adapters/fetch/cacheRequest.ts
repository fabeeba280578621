import { createHash } from 'node:crypto';
import { meaningOf, says } from '../../gateway/features/cacheNames.js';
import { parseDirectives, spanOf } from '../../http/caching/directives.js';
import type { Stored } from '../../http/caching/stored.js';
import { joinedOf, type RawHeaders } from '../../http/headers.js';
import type { FetchTrip } from './fetchTrip.js';

/** What a request wants of a cache: of its fields, and of the option `cache` of `fetch`. */
export interface Wish {
  readonly onlyIfCached: boolean;
  /** Whatever is stored, however old. */
  readonly forced: boolean;
  /** Whether what is stored is good enough (RFC 9111 5.2.1). */
  allows(stored: Stored, now: number): boolean;
}

/** Reads it. */
export function wishOf({ cacheMode }: FetchTrip, headers: RawHeaders): Wish {
  const field = joinedOf(headers, 'cache-control');
  const given = parseDirectives(field ?? '');
  const forced = cacheMode === 'force-cache' || cacheMode === 'only-if-cached';
  const again =
    cacheMode === 'no-cache' ||
    cacheMode === 'reload' ||
    given.has('no-cache') ||
    (field === undefined && /no-cache/i.test(joinedOf(headers, 'pragma') ?? ''));
  const maxAge = spanOf(given, 'max-age') ?? Infinity;
  const minFresh = spanOf(given, 'min-fresh') ?? 0;
  const maxStale = given.get('max-stale') === '' ? Infinity : (spanOf(given, 'max-stale') ?? 0);
  return {
    onlyIfCached: given.has('only-if-cached') || cacheMode === 'only-if-cached',
    forced,
    allows(stored, now) {
      if (forced) return true;
      if (again || now - stored.bornAt > maxAge) return false;
      if (now + minFresh < stored.freshUntil) return true;
      return maxStale > 0 && !stored.strict && now < stored.freshUntil + maxStale;
    },
  };
}

/**
 * Whether only the server can answer a request: a part, a condition of the caller's own, another method or address in a field, a redirect that
 * is not to be followed.
 */
export function isForServer(trip: FetchTrip, headers: RawHeaders): boolean {
  if (trip.hasBody || !trip.follows || trip.cacheMode === 'no-store') return true;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name === 'range' || name.startsWith('if-') || meaningOf(name) === says.otherwise) return true;
    if (name === 'cache-control' && parseDirectives(headers[i + 1] as string).has('no-store')) return true;
  }
  return false;
}

/** Who asks: what is answered to one credential is not given to another. */
export function whoOf(headers: RawHeaders): string {
  let said = '';
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name === 'cookie' || meaningOf(name) === says.secret) said += `${name}: ${headers[i + 1]}\n`;
  }
  return said === '' ? '' : createHash('sha256').update(said).digest('base64url');
}

/** Header fields as the rules of caching read them: names in lower case and in order. */
export function rawOf(headers: Headers): RawHeaders {
  const raw: RawHeaders = [];
  for (const [name, field] of headers) raw.push(name, field);
  return raw;
}
