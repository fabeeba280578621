import { AsyncLocalStorage } from 'node:async_hooks';
import { all } from './core/all.js';
import { type Call, currentSignal, useAsyncContext } from './core/call.js';
import { systemClock } from './core/clock.js';
import {
  type AnyArgs,
  type AnyDecorator,
  type AnyFn,
  type Anything,
  type AsyncFn,
  type Decorator,
  decorator,
  describe,
  policiesIn,
  type PolicyDescription,
  siteOf,
} from './core/decorate.js';
import type { Duration } from './core/duration.js';
import { OptionsError } from './core/errors.js';
import { type EventName, eventNames, Events, type Listener } from './core/events.js';
import { prefixOf } from './core/keyspace.js';
import { configure, type PolicyDefinition, type Runtime } from './core/policy.js';
import { Names, States } from './core/registry.js';
import { type Breakers, breakersOf } from './policies/breakers.js';
import { CacheSpaces } from './policies/cacheSpaces.js';
import type { CircuitInfo } from './policies/circuit.js';
import * as policies from './policies/index.js';
import { tellOf } from './policies/storeHealth.js';
import { type CacheStats, ManualCache } from './policies/manualCache.js';
import { namedLimiter, type NamedLimiter, type NamedLimiterOptions } from './policies/namedLimiter.js';
import { ResultCache } from './policies/resultCache.js';
import { type PremierOptions, premierOptions } from './premierOptions.js';
import { memory } from './providers/memory.js';

/** What `premier.stats()` answers. */
export interface PremierStats {
  /** How often each event happened. */
  readonly events: Readonly<Record<EventName, number>>;
  readonly cache: CacheStats;
  readonly breakers: readonly CircuitInfo[];
}

/**
 * Resilience for service classes and plain functions. Every policy method returns one value with three uses: a standard decorator, a
 * legacy decorator, and a higher-order function. Stacked policies share one runner; the first is the outermost.
 */
export class Premier {
  readonly keyspace: string;
  /** The cache by hand. */
  readonly cache: ManualCache;
  readonly #runtime: Runtime;
  readonly #unwatch: (() => void) | undefined;

  constructor(options: PremierOptions = {}) {
    const { keyspace, provider, logger, clock = systemClock, random = Math.random, scope, asyncContext } = premierOptions.parse(options);
    this.keyspace = keyspace;
    const names = new Names();
    this.#runtime = {
      clock,
      random,
      events: new Events(() => clock.now()),
      provider: provider ?? memory({ clock }),
      keyspace,
      logger,
      scope,
      registry: new States(),
      claim: (...claimed) => names.claim(...claimed),
    };
    this.cache = new ManualCache(this.#runtime);
    this.#unwatch = tellOf(this.#runtime);
    if (asyncContext) useAsyncContext(new AsyncLocalStorage<Call>());
  }

  /** Keeps results; concurrent calls for a key run the function once. */
  cacheResult<A extends AnyArgs = AnyArgs, R = Anything, This = Anything>(
    options: policies.CacheResultOptions<A, R, This> = {},
  ): Decorator<AsyncFn, A, never, This> {
    return this.#decorator(policies.cacheResult, options);
  }

  /** Drops cached values after the call succeeded. */
  cacheEvict<A extends AnyArgs = AnyArgs, R = Anything>(options: policies.CacheEvictOptions<A, R>): Decorator<AsyncFn, A> {
    return this.#decorator(policies.cacheEvict, options);
  }

  /** `quota` calls per `duration`, counted from a key's first call. */
  fixedWindow<A extends AnyArgs = AnyArgs>(options: policies.WindowOptions<A>): Decorator<AsyncFn, A> {
    return this.#decorator(policies.fixedWindow, options);
  }

  /** Never more than `quota` calls in any span of `duration`. */
  slidingWindow<A extends AnyArgs = AnyArgs>(options: policies.WindowOptions<A>): Decorator<AsyncFn, A> {
    return this.#decorator(policies.slidingWindow, options);
  }

  /** Bursts up to `burst`, then `quota` calls per `duration`, refilled continuously. */
  tokenBucket<A extends AnyArgs = AnyArgs>(options: policies.TokenBucketOptions<A>): Decorator<AsyncFn, A> {
    return this.#decorator(policies.tokenBucket, options);
  }

  /** A queue: calls leave one every `duration / quota`, in order. */
  leakyBucket<A extends AnyArgs = AnyArgs>(options: policies.LeakyBucketOptions<A>): Decorator<AsyncFn, A> {
    return this.#decorator(policies.leakyBucket, options);
  }

  /** One limit by the name of its algorithm, or several that are spent all or none. */
  throttle<A extends AnyArgs = AnyArgs>(options: policies.ThrottleOptions<A>): Decorator<AsyncFn, A> {
    return this.#decorator(policies.throttle, options);
  }

  /** Tries again, with growing waits. */
  retry<A extends AnyArgs = AnyArgs, R = Anything>(options: policies.RetryOptions<A, R> = {}): Decorator<AsyncFn, A> {
    return this.#decorator(policies.retry, options);
  }

  /** Ends a call that takes too long, and aborts its signal. */
  timeout(seconds: Duration | policies.TimeoutOptions, options: Omit<policies.TimeoutOptions, 'seconds'> = {}): Decorator {
    return this.#decorator(policies.timeout, timeoutOptions(seconds, options));
  }

  /** Logs how long calls take. Keeps a synchronous function synchronous. */
  timeit(options: policies.TimeitOptions = {}): Decorator<AnyFn> {
    return this.#decorator(policies.timeit, options);
  }

  /** Stops calling what fails, and looks from time to time whether it has recovered. */
  circuitBreaker<A extends AnyArgs = AnyArgs, R = never>(options: policies.CircuitBreakerOptions<A, R> = {}): Decorator<AsyncFn, A, R> {
    return this.#decorator(policies.circuitBreaker, options);
  }

  /** Lets only so many calls run at once. */
  bulkhead(options: policies.BulkheadOptions): Decorator {
    return this.#decorator(policies.bulkhead, options);
  }

  /** Answers in place of an error: with a value, or with what a function of the error and the arguments returns. */
  fallback<R, A extends AnyArgs = AnyArgs>(
    answer: policies.Fallback<R, A>,
    options: Omit<policies.FallbackOptions, 'value'> = {},
  ): Decorator<AsyncFn, A, R> {
    return this.#decorator(policies.fallback, { ...options, value: answer });
  }

  /** Starts another attempt beside one that is slow; the first good answer wins. */
  hedge(options: policies.HedgeOptions): Decorator {
    return this.#decorator(policies.hedge, options);
  }

  /** Several policies as one, the first outermost. Throws `OptionsError` for what is no policy. */
  pipe(...made: readonly AnyDecorator[]): Decorator {
    return pipe(...made);
  }

  /** A policy of your own (`definePolicy`), in the same three uses. */
  use<Options, Resolved extends object>(definition: PolicyDefinition<Options, Resolved>, options: Options): Decorator {
    return this.#decorator(definition, options);
  }

  /** The current call's `AbortSignal`; read it before the first `await` of a decorated function. Throws `OptionsError` elsewhere. */
  get signal(): AbortSignal {
    return currentSignal();
  }

  /** A limit to be asked by hand. */
  limiter(options: NamedLimiterOptions): NamedLimiter {
    return namedLimiter(options, this.#runtime);
  }

  /** The circuits, as they are now. */
  get breakers(): Breakers {
    return breakersOf(this.#runtime);
  }

  /** Drops what `cacheResult` keeps of a function, for these arguments or for all. */
  invalidate(fn: AnyFn, args?: readonly unknown[]): Promise<void>;
  /** The same of a method, as `object` calls it. */
  invalidate(object: object, method: PropertyKey, args?: readonly unknown[]): Promise<void>;
  async invalidate(target: object, second?: unknown, third?: readonly unknown[]): Promise<void> {
    const byMethod = second !== undefined && !Array.isArray(second);
    const found: unknown = byMethod ? (target as Record<PropertyKey, unknown>)[second as PropertyKey] : target;
    const args = byMethod ? third : (second as readonly unknown[] | undefined);
    const site = siteOf(found);
    const caches = site ? ResultCache.of(site.fn, this.#runtime) : [];
    if (caches.length === 0) {
      const what = byMethod ? String(second) : ((found as { name?: string } | undefined)?.name ?? 'what was given');
      throw new OptionsError(`invalidate: ${what} has no cacheResult of this Premier around it`);
    }
    await all(caches.map((cache) => cache.drop(byMethod ? target : undefined, args)));
    this.#runtime.events.emit('cacheInvalidated', { name: site?.method ?? '' }, {});
  }

  /** Drops everything that carries one of these tags. */
  async invalidateTags(...tags: readonly string[]): Promise<void> {
    if (!tags.every((tag) => typeof tag === 'string')) throw new OptionsError('invalidateTags: every tag must be a text');
    await CacheSpaces.of(this.#runtime.provider).bump(this.keyspace, tags);
    this.#runtime.events.emit('cacheInvalidated', { name: 'premier' }, { tags });
  }

  /** Drops every cached value of a keyspace, by default this one's. `app` never touches `app2`. */
  async clearCache(keyspace: string = this.keyspace): Promise<void> {
    await CacheSpaces.of(this.#runtime.provider).clear(prefixOf(keyspace, 'cacheResult'));
    this.#runtime.events.emit('cacheInvalidated', { name: 'premier' }, { keyspace });
  }

  /** Forgets every limiter's state in a keyspace, by default this one's. */
  async clearThrottle(keyspace: string = this.keyspace): Promise<void> {
    await this.#runtime.provider.clear(prefixOf(keyspace, 'throttle'));
  }

  /** Hears an event, or all of them (`'*'`). Returns how to stop. Throws `OptionsError` for an event that there is not. */
  on<N extends EventName>(event: N | '*', listener: Listener<N>): () => void {
    if (typeof listener !== 'function') throw new OptionsError(`on: the listener of '${event}' must be a function`);
    if (event === '*') {
      const stops = eventNames.map((name) => this.#runtime.events.on(name, listener as unknown as Listener<typeof name>));
      return () => stops.forEach((stop) => stop());
    }
    if (!eventNames.includes(event)) throw new OptionsError(`on: there is no event '${event}'; known are ${eventNames.join(', ')}`);
    return this.#runtime.events.on(event, listener);
  }

  /** What happened so far. */
  stats(): PremierStats {
    return { events: this.#runtime.events.counts, cache: this.cache.stats(), breakers: [...this.breakers] };
  }

  /** The policies around a method, outermost first. `target` is a class, its prototype or an instance. */
  policiesOf(target: object, method: PropertyKey): readonly PolicyDescription[] {
    const direct = (target as Record<PropertyKey, unknown>)[method];
    const found = direct ?? ((target as { prototype?: Record<PropertyKey, unknown> }).prototype ?? {})[method];
    return describe(found);
  }

  /** Lets go of what the provider opened. */
  async close(): Promise<void> {
    this.#unwatch?.();
    await this.#runtime.provider.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #decorator<Options, Resolved extends object, D>(definition: PolicyDefinition<Options, Resolved>, options: unknown): D {
    return decorator<D>(configure(definition, options as Options, this.#runtime));
  }
}

/** `timeout(5)`, `timeout(5, { logger })` and `timeout({ seconds: 5 })` are the same. */
export function timeoutOptions(
  seconds: Duration | policies.TimeoutOptions,
  options: Omit<policies.TimeoutOptions, 'seconds'>,
): policies.TimeoutOptions {
  return typeof seconds === 'object' && seconds !== null ? seconds : { ...options, seconds };
}

/** Several policies as one, the first outermost. Throws `OptionsError` for what is no policy. */
export function pipe(...made: readonly AnyDecorator[]): Decorator {
  return decorator(...made.flatMap((one) => policiesIn(one, 'pipe')));
}
