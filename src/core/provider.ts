/** A value now, or a promise of it. Memory answers without a promise: the hot path must not pay for one. */
export type Awaitable<T> = T | Promise<T>;

/** What every algorithm decides about one call. Times in milliseconds. */
export interface Verdict {
  /** Whether the call may go ahead. */
  readonly allowed: boolean;
  /** How many calls fit in all. */
  readonly limit: number;
  /** How many more calls of cost 1 would be admitted now. */
  readonly remaining: number;
  /** Until the same cost is admitted, if nothing else happens; 0 when it was, `Infinity` when it never will be. */
  readonly retryAfter: number;
  /** Until this key is as if it had never been used: its time to live. */
  readonly resetAfter: number;
  /** How long an admitted call has to wait for its turn. Only a leaky bucket lets wait. */
  readonly delay: number;
}

/**
 * A state machine over one key. `step` reads nothing but its arguments, and writes the state it was given only when it admits:
 * a refused call costs nothing, and several algorithms can be asked first and written after.
 */
export interface Algorithm<State extends object = object, Params = unknown, Decision extends { readonly resetAfter: number } = Verdict> {
  readonly name: string;
  /** The state of a key that was never used, or whose `resetAfter` passed. */
  create(params: Params): State;
  /** A deep copy: what a provider steps on when it must be able to drop the step. */
  copy(state: State): State;
  step(state: State, params: Params, now: number): Decision;
}

/** One step of several that are taken all or none. */
export interface Step {
  readonly key: string;
  readonly algorithm: Algorithm<object, never>;
  readonly params: unknown;
}

/** The operations on keys, in a whole provider or below one prefix of it. */
export interface Store {
  /** The value, or `undefined`. `now` saves a look at the clock where the caller has just looked. */
  get(key: string, now?: number): Awaitable<unknown>;
  /** Keeps a value for `ttlMs` milliseconds; without it, until it is deleted or there is no room. `now` as for `get`. */
  set(key: string, value: unknown, ttlMs?: number, now?: number): Awaitable<void>;
  /** Whether there was something. */
  delete(key: string): Awaitable<boolean>;
  has(key: string): Awaitable<boolean>;
  /** One step of an algorithm on one key, atomically. */
  step<State extends object, Params, Decision extends { readonly resetAfter: number }>(
    key: string,
    algorithm: Algorithm<State, Params, Decision>,
    params: Params,
  ): Awaitable<Decision>;
  /** Steps on several keys, atomically: all are written if all admit, none otherwise. */
  stepAll(steps: readonly Step[]): Awaitable<readonly Verdict[]>;
}

/** Where state lives: cache values and algorithm state. Keys arrive finished. */
export interface Provider extends Store {
  /** Drops every key that begins with `prefix`. */
  clear(prefix: string): Awaitable<void>;
  /** A store below one prefix, when that is cheaper than joining prefix and key for each call. */
  open?(prefix: string): Store;
  /** Lets go of what it opened itself. */
  close(): Awaitable<void>;
}

/** The part of a provider whose keys begin with `prefix`. */
export function openStore(provider: Provider, prefix: string): Store {
  if (provider.open) return provider.open(prefix);
  return {
    get: (key, now) => provider.get(prefix + key, now),
    set: (key, value, ttlMs, now) => provider.set(prefix + key, value, ttlMs, now),
    delete: (key) => provider.delete(prefix + key),
    has: (key) => provider.has(prefix + key),
    step: (key, algorithm, params) => provider.step(prefix + key, algorithm, params),
    stepAll: (steps) => provider.stepAll(steps.map((step) => ({ ...step, key: prefix + step.key }))),
  };
}
