import { parseDirectives, spanOf } from '../../http/caching/directives.js';
import type { Stored } from '../../http/caching/stored.js';
import type { Exchange } from '../../http/exchange.js';
import { joinedOf } from '../../http/headers.js';

/** What a request wants of a cache. */
export interface Wish {
  /** Nothing but what is stored: honoured from everybody, since it costs nothing. */
  readonly onlyIfCached: boolean;
  readonly noStore: boolean;
  /** Nothing stale, however short. */
  readonly again: boolean;
  /** Whether what is stored is good enough (RFC 9111 5.2.1). */
  allows(stored: Stored, now: number): boolean;
}

/** No wish at all. */
export const noWish: Wish = { onlyIfCached: false, noStore: false, again: false, allows: (stored, now) => now < stored.freshUntil };

/** Reads the wishes of a request. All but `only-if-cached` count only where `honored`: anybody could empty the cache with them. */
export function wishOf({ headers }: Exchange, honored: boolean): Wish {
  const field = joinedOf(headers, 'cache-control');
  const given = parseDirectives(field ?? '');
  const onlyIfCached = given.has('only-if-cached');
  if (!honored) return onlyIfCached ? { ...noWish, onlyIfCached } : noWish;
  const again = given.has('no-cache') || (field === undefined && /no-cache/i.test(joinedOf(headers, 'pragma') ?? ''));
  const maxAge = spanOf(given, 'max-age') ?? Infinity;
  const minFresh = spanOf(given, 'min-fresh') ?? 0;
  const maxStale = given.get('max-stale') === '' ? Infinity : (spanOf(given, 'max-stale') ?? 0);
  return {
    onlyIfCached,
    noStore: given.has('no-store'),
    again: again || maxAge < Infinity || minFresh > 0,
    allows(stored, now) {
      if (again || now - stored.bornAt > maxAge) return false;
      if (now + minFresh < stored.freshUntil) return true;
      return maxStale > 0 && !stored.strict && now < stored.freshUntil + maxStale;
    },
  };
}
