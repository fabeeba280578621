import type { Duration } from '../../core/duration.js';
import { duration, integer, schema, value, withDefault } from '../../core/options.js';
import type { Rules } from '../../http/caching/storable.js';

/** The cache of a `fetch`: what servers say wins (RFC 9111), and these fill in what they do not say. */
export interface FetchCacheOptions {
  /**
   * All that is kept, in bytes: the least recently used goes first.
   * @default 64 MiB
   */
  maxBytes?: number;
  /**
   * The longest body that is kept.
   * @default 4 MiB
   */
  maxEntryBytes?: number;
  /** How long an answer is fresh about which the server says nothing. By default it is asked about before each use. */
  expireS?: Duration;
  /**
   * How long a stale answer is given at once, while a new one is asked for.
   * @default 0
   */
  staleS?: Duration;
  /**
   * How long a stale answer is given when the server fails.
   * @default 0
   */
  staleIfErrorS?: Duration;
}

/** How a client's cache works, checked. */
export interface CacheRules {
  readonly maxBytes: number;
  readonly maxEntryBytes: number;
  readonly rules: Rules;
}

/** The option `cache`. */
export const cacheField = value<FetchCacheOptions | false>(
  'an object, or false',
  (given) => given === false || (typeof given === 'object' && given !== null),
);

const cacheSchema = schema<FetchCacheOptions>('cache')({
  maxBytes: withDefault(integer(1), 67_108_864),
  maxEntryBytes: withDefault(integer(1), 4_194_304),
  expireS: duration(),
  staleS: withDefault(duration(), 0),
  staleIfErrorS: withDefault(duration(), 0),
});

/** Checks the options of a cache. Throws `OptionsError` when they are wrong. */
export function cacheRulesOf(options: FetchCacheOptions): CacheRules {
  const { maxBytes, maxEntryBytes, expireS, staleS, staleIfErrorS } = cacheSchema.parse(options);
  const rules: Rules = {
    expire: expireS ?? 0,
    staleWhileRevalidate: staleS,
    staleIfError: staleIfErrorS,
    storeSetCookie: false,
    storeErrors: false,
    ignoreUpstream: false,
    // Who asks is part of the key: what is for one of them may be kept.
    storePrivate: true,
    keyed: true,
  };
  return { maxBytes, maxEntryBytes, rules };
}
