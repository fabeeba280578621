import { uncalled } from '../core/call.js';
import type { Duration } from '../core/duration.js';
import { encodeArgs } from '../core/encode.js';
import { OptionsError } from '../core/errors.js';
import { duration, list, schema, text } from '../core/options.js';
import type { Runtime } from '../core/policy.js';
import type { Awaitable } from '../core/provider.js';
import type { Cached, CacheSpace, Keep, Look } from './cacheSpace.js';
import { CacheSpaces } from './cacheSpaces.js';
import { SharedSpace } from './sharedSpace.js';

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
    return (await this.#find(key, false)).cached?.value as T | undefined;
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
    const encoded = keyOf(key);
    const tagged = keep.tags !== undefined;
    const found = this.#find(key, tagged);
    const { cached, seen } = found instanceof Promise ? await found : found;
    if (cached) return cached.value as T;
    const loading =
      this.#space.loading(encoded, tagged, seen) ??
      this.#space.load(encoded, {
        clock: this.#runtime.clock,
        // Those who come later share it: it must not end with the call that makes it.
        run: async () => uncalled(load),
        end: () => undefined,
        keep: () => keep,
        failed: this.#failed(key),
        timed: false,
        lock: false,
        tagged,
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

  /** What is kept under a key. Memory answers without a promise: then nothing comes between the look and the load. */
  #find(key: string, tagged: boolean): Awaitable<Found> {
    const space = this.#space;
    const now = this.#runtime.clock.now();
    const checked = (cached: Cached | undefined, seen?: Look): Found => {
      const fresh = cached !== undefined && now < cached.freshUntil ? cached : undefined;
      if (fresh) this.#runtime.events.hit(this.#who, key);
      else this.#runtime.events.miss(this.#who, key);
      return { cached: fresh, seen };
    };
    const encoded = keyOf(key);
    if (space instanceof SharedSpace) return space.look(encoded, tagged, this.#failed(key)).then((seen) => checked(seen.cached, seen));
    const stored = space.store.get(encoded, now);
    return stored instanceof Promise ? stored.then((known) => checked(space.valid(known))) : checked(space.valid(stored));
  }

  #failed(key: string): (error: unknown) => void {
    return (error) => this.#runtime.events.emit('cacheFailed', this.#who, { key, error });
  }
}

/** What was found under a key. */
interface Found {
  readonly cached: Cached | undefined;
  readonly seen: Look | undefined;
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
