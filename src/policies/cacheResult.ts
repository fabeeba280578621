import type { AnyArgs } from '../core/decorate.js';
import type { Call } from '../core/call.js';
import type { Duration } from '../core/duration.js';
import { OptionsError } from '../core/errors.js';
import { duration, either, flag, fn, number, oneOf, schema, text, withDefault } from '../core/options.js';
import { type Around, definePolicy, type Next } from '../core/policy.js';
import type { Cached, CacheSpace, Keep, Load, Look } from './cacheSpace.js';
import { ResultCache } from './resultCache.js';
import { SharedSpace } from './sharedSpace.js';

/** Options of `cacheResult`. */
export interface CacheResultOptions<A extends readonly unknown[] = AnyArgs, R = unknown, This = never> {
  /** How long a result is fresh. It never expires by default. */
  expireS?: Duration;
  /** The key: a text for all calls, or a function of the arguments and `this` that returns a text or a list of parts. */
  cacheKey?: string | ((this: This, ...args: A) => string | readonly unknown[]);
  /**
   * How much longer an expired result is served while one refresh runs.
   * @default 0
   */
  staleS?: Duration;
  /**
   * How much longer an expired result is served when loading a new one fails.
   * @default 0
   */
  staleIfErrorS?: Duration;
  /**
   * By what share the life of a result is shortened at random, 0.1 for up to a tenth, so that not all expire at once.
   * @default 0
   */
  jitter?: number;
  /** What the result can be dropped by: `premier.invalidateTags`, `cacheEvict({ tags })`. */
  tags?: (result: R, ...args: A) => readonly string[];
  /** Whether to keep a result. */
  shouldCache?: (result: R) => boolean;
  /** Whether to pass the cache by, for reading and for writing. */
  bypass?: (...args: A) => boolean;
  /**
   * How eagerly a result is refreshed before it expires, more probably the nearer that is (XFetch; Vattani, Chierichetti and
   * Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015). 1 is the paper's optimum, 0 is off.
   * @default 0
   */
  earlyBeta?: number;
  /**
   * Whether one load at a time is enough for all processes that share the provider.
   * @default false
   */
  lock?: boolean;
  /**
   * Whether each caller gets a copy of its own (`structuredClone`).
   * @default false
   */
  clone?: boolean;
  /**
   * Whose cache it is when several instances of a class call: `'class'` for one in common, `'instance'` for one each (memory only), or a
   * function of the instance, such as its tenant. Must be said once a second instance calls.
   */
  scope?: 'class' | 'instance' | ((self: This) => string);
  /**
   * The name that the results are kept under. Functions with an equal one share them.
   * @default `Class.method`, or the function's name
   */
  name?: string;
}

/** Reads through a cache: a result is kept, and concurrent calls for the same key run the function once. */
export const cacheResult = definePolicy({
  name: 'cacheResult',
  options: schema<CacheResultOptions>('cacheResult')(
    {
      expireS: duration({ zero: false }),
      cacheKey: either(text(), fn<(...args: unknown[]) => unknown>()),
      staleS: withDefault(duration(), 0),
      staleIfErrorS: withDefault(duration(), 0),
      jitter: withDefault(number(0, 1), 0),
      tags: fn<(result: unknown, ...args: unknown[]) => readonly string[]>(),
      shouldCache: fn<(result: unknown) => boolean>(),
      bypass: fn<(...args: unknown[]) => boolean>(),
      earlyBeta: withDefault(number(0, 1000), 0),
      lock: flag(false),
      clone: flag(false),
      scope: either(oneOf('class', 'instance'), fn<(self: unknown) => string>()),
      name: text(),
    },
    ({ expireS, staleS, staleIfErrorS, earlyBeta, jitter }) =>
      expireS === undefined && staleS + staleIfErrorS + earlyBeta + jitter > 0
        ? 'options "staleS", "staleIfErrorS", "earlyBeta" and "jitter" need "expireS"'
        : undefined,
  ),
  create(options, runtime, place): Around {
    const { clock, random, events } = runtime;
    const { expireS, staleS, staleIfErrorS, jitter, tags, shouldCache, bypass, earlyBeta, clone, lock } = options;
    const tagged = tags !== undefined;
    const grace = Math.max(staleS, staleIfErrorS);
    const cache = new ResultCache(options, runtime, place);
    ResultCache.register(place.site.fn, cache);

    const complain = (callback: string) => (error: unknown) =>
      events.emit('callbackFailed', { name: place.site.method }, { callback, error });
    const passesBy = (call: Call): boolean => {
      try {
        return bypass?.apply(call.self, call.args as unknown[]) === true;
      } catch (error) {
        complain('bypass')(error);
        return true;
      }
    };
    const keepFor =
      (call: Call) =>
      (result: unknown): Keep | undefined => {
        try {
          if (shouldCache && shouldCache.call(call.self, result) !== true) return undefined;
        } catch (error) {
          complain('shouldCache')(error);
          return undefined;
        }
        // What could not be copied for the next caller is not kept.
        if (clone) structuredClone(result);
        const expire = expireS === undefined || jitter === 0 ? expireS : expireS * (1 - jitter * random());
        return { expire, grace, tags: tags && tagList(tags.apply(call.self, [result, ...call.args])) };
      };
    const start = (space: CacheSpace, key: string, call: Call, next: Next, beyond?: number): Load => {
      // What several callers wait for does not end with one of them, but with the last.
      const alone = call.detach();
      return space.load(key, {
        clock,
        run: () => next(alone),
        end: (reason) => alone.abort(reason),
        keep: keepFor(alone),
        failed: (error) => events.emit('cacheFailed', call, { key, error }),
        timed: earlyBeta > 0,
        lock,
        beyond,
        tagged,
      });
    };
    const own = (value: unknown): unknown => {
      if (!clone) return value;
      try {
        return structuredClone(value);
      } catch {
        // It was told when it could not be kept.
        return value;
      }
    };
    /** Waits for a load, the one under way or a new one; when the last who waits gives up, it ends. */
    const wait = (space: CacheSpace, key: string, call: Call, next: Next, seen?: Look): Promise<unknown> => {
      const load = space.loading(key, tagged, seen) ?? start(space, key, call, next);
      if (load.promise === undefined) throw new OptionsError(`${call.name} asks for the key that it is loading, and would wait for itself`);
      if (call.nested) {
        load.waiting++;
        const forget = call.onAbort((reason) => {
          if (--load.waiting > 0) return;
          space.abandon(key, load);
          load.end(reason);
        });
        load.promise.then(forget, forget);
      } else load.waiting = Infinity;
      return clone ? load.promise.then(own) : load.promise;
    };
    const early = (cached: Cached, now: number): boolean =>
      earlyBeta > 0 && now - cached.took * earlyBeta * Math.log(1 - random()) >= cached.freshUntil;
    const refresh = (space: CacheSpace, key: string, call: Call, next: Next, beyond: number): void => {
      if (space.loading(key, tagged)) return;
      const load = start(space, key, call, next, beyond);
      load.waiting = Infinity;
      load.promise?.catch((error: unknown) => events.emit('cacheFailed', call, { key, error }));
    };

    const found = (
      cached: Cached | undefined,
      now: number,
      space: CacheSpace,
      key: string,
      call: Call,
      next: Next,
      seen?: Look,
    ): Promise<unknown> => {
      if (cached !== undefined) {
        if (now < cached.freshUntil) {
          if (early(cached, now)) refresh(space, key, call, next, cached.freshUntil);
          events.hit(call, key);
          return Promise.resolve(own(cached.value));
        }
        if (now < cached.freshUntil + staleS) {
          refresh(space, key, call, next, cached.freshUntil);
          events.emit('cacheStale', call, { key, because: 'revalidate' });
          return Promise.resolve(own(cached.value));
        }
      }
      events.miss(call, key);
      const loading = wait(space, key, call, next, seen);
      if (cached === undefined || now >= cached.freshUntil + staleIfErrorS) return loading;
      return loading.catch(() => {
        events.emit('cacheStale', call, { key, because: 'error' });
        return own(cached.value);
      });
    };

    return {
      run(call, next) {
        if (bypass && passesBy(call)) return next(call);
        const space = cache.space(call);
        const key = cache.key(call.self, call.args);
        const now = clock.now();
        if (space instanceof SharedSpace) {
          const failed = (error: unknown): void => events.emit('cacheFailed', call, { key, error });
          return space.look(key, tagged, failed).then((seen) => found(seen.cached, now, space, key, call, next, seen));
        }
        const stored = space.store.get(key, now);
        if (!(stored instanceof Promise)) return found(stored === undefined ? undefined : space.valid(stored), now, space, key, call, next);
        if (space.loading(key, tagged)) {
          events.miss(call, key);
          stored.catch(() => undefined);
          return wait(space, key, call, next);
        }
        return stored.then(
          (known) => found(space.valid(known), now, space, key, call, next),
          (error: unknown) => {
            events.emit('cacheFailed', call, { key, error });
            return wait(space, key, call, next);
          },
        );
      },
    };
  },
});

/** What `tags` returned: without its tags a result could never be dropped by them, so anything but texts keeps it out of the cache. */
function tagList(tags: unknown): readonly string[] {
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags;
  throw new OptionsError('cacheResult: what "tags" returns must be a list of texts');
}
