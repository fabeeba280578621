import { uncalled } from '../core/call.js';
import type { Duration } from '../core/duration.js';
import { encodeArgs } from '../core/encode.js';
import { OptionsError } from '../core/errors.js';
import { duration, list, schema, text } from '../core/options.js';
import type { Runtime } from '../core/policy.js';
import type { Awaitable } from '../core/provider.js';
import { type Cached, type CacheSpace, CacheSpaces, type Keep } from './cacheSpace.js';

/** How long `premier.cache` keeps a value, and what it can be dropped by. */
export interface CacheSetOptions {
  /** It never expires by default. */
  expireS?: Duration;
  tags?: readonly string[];
}

/** How often the cache answered. */
export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly stale: number;
  readonly failures: number;
  /** Hits per look-up, stale ones included; 0 before the first. */
  readonly hitRate: number;
}

/** The cache by hand: its keys are apart from those of decorated functions. */
export class ManualCache {
  readonly #runtime: Runtime;
  readonly #space: CacheSpace;
  readonly #who = { name: 'premier.cache' };

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#space = CacheSpaces.of(runtime.provider).open(runtime.keyspace, '');
  }

  /** The value, or `undefined`. */
  async get<T = unknown>(key: string): Promise<T | undefined> {
    return this.#checked(key, await this.#stored(key))?.value as T | undefined;
  }

  /** Keeps a value; a `wrap` that is loading that key does not write over it. */
  async set(key: string, value: unknown, options: Duration | CacheSetOptions = {}): Promise<void> {
    await this.#space.put(keyOf(key), this.#runtime.clock, value, keepOf(options));
  }

  /** Drops a value; whether there was one. */
  async delete(key: string): Promise<boolean> {
    const existed = await this.#space.drop(keyOf(key));
    this.#runtime.events.emit('cacheInvalidated', this.#who, { keys: [key] });
    return existed;
  }

  /** The value, or what `load` brings, which is kept. Concurrent calls for a key load once; an error is kept by nobody. */
  async wrap<T>(key: string, load: () => T | Promise<T>, options: Duration | CacheSetOptions = {}): Promise<T> {
    const keep = keepOf(options);
    const stored = this.#stored(key);
    const found = this.#checked(key, stored instanceof Promise ? await stored : stored);
    if (found) return found.value as T;
    const encoded = keyOf(key);
    const loading =
      this.#space.loading(encoded, keep.tags !== undefined) ??
      this.#space.load(encoded, {
        clock: this.#runtime.clock,
        // Those who come later share it: it must not end with the call that makes it.
        run: async () => uncalled(load),
        end: () => undefined,
        keep: () => keep,
        failed: (error) => this.#runtime.events.emit('cacheFailed', this.#who, { key, error }),
        timed: false,
      });
    if (loading.promise) return loading.promise as Promise<T>;
    throw new OptionsError(`cache: the loader of '${key}' asks for its own key, and would wait for itself`);
  }

  /** Counted over all caches of this Premier, decorated functions included. */
  stats(): CacheStats {
    const { cacheHit: hits, cacheMiss: misses, cacheStale: stale, cacheFailed: failures } = this.#runtime.events.counts;
    const lookups = hits + misses + stale;
    return { hits, misses, stale, failures, hitRate: lookups === 0 ? 0 : (hits + stale) / lookups };
  }

  #stored(key: string): Awaitable<unknown> {
    return this.#space.store.get(keyOf(key), this.#runtime.clock.now());
  }

  #checked(key: string, stored: unknown): Cached | undefined {
    const cached = this.#space.valid(stored);
    if (cached) this.#runtime.events.hit(this.#who, key);
    else this.#runtime.events.miss(this.#who, key);
    return cached;
  }
}

function keyOf(key: unknown): string {
  if (typeof key === 'string') return encodeArgs([key]);
  throw new OptionsError(`cache: the key must be a text (got ${typeof key})`);
}

function keepOf(options: Duration | CacheSetOptions): Keep {
  const { expireS, tags } = cacheSetOptions.parse(typeof options === 'object' ? options : { expireS: options });
  return { expire: expireS, grace: 0, tags };
}

const cacheSetOptions = schema<CacheSetOptions>('cache')({ expireS: duration({ zero: false }), tags: list(text()) });
