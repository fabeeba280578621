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
  /** The same step in Lua, for Redis. An algorithm without it runs in memory only. */
  readonly lua?: LuaStep<Params, Decision>;
  /** The decision when nobody can be asked and calls shall go on all the same. Without it such a step fails. */
  readonly unasked?: (params: Params) => Decision;
}

/** A step told in Lua. */
export interface LuaStep<Params, Decision> {
  /**
   * The body of a function of `raw` (the state as text, or `false`), `now` (milliseconds) and `p` (the arguments). It returns up to six values: 1 or 0 for admitted or not, the new state (`nil` to leave it, `''` to delete it), its time to live in milliseconds,
   * and three answers, whole numbers or texts. It reads nothing else, so that Redis and memory decide alike.
   */
  readonly body: string;
  /**
   * How many bytes at the front of a state change with every step. Where they alone change, only they are written, which costs Redis a third. The
   * eight bytes after them belong to the harness. Such a body returns the front as the new state, and as a seventh value what comes after those
   * eight bytes, if that changed as well.
   */
  readonly front?: number;
  args(params: Params): readonly (string | number)[];
  /** What the reply means: whether it was admitted, and the three answers. */
  decision(reply: LuaReply, params: Params): Decision;
}

/** What a Lua step answered. */
export type LuaReply = readonly [admitted: number, first: unknown, second: unknown, third: unknown];

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
  /** Present where other processes use the same keys. */
  readonly shared?: SharedValues;
}

/** What a store of several processes adds for values: a value that was made before its key was dropped or set never comes back. */
export interface SharedValues {
  /** The value, with what it takes to see whether anything happened to its key since. */
  read(key: string): Promise<Seen>;
  /** Says that a value for the key is being made. What it answers goes to `put`. */
  begin(key: string): Promise<string>;
  /** Keeps a value unless its key was dropped or set since `begin`; whether it did. */
  put(key: string, value: unknown, ttlMs: number | undefined, fence: string): Promise<boolean>;
  /** No value came of it. */
  leave(key: string, fence: string): Promise<void>;
}

/** What a shared store holds under a key. */
export interface Seen {
  readonly value: unknown;
  /** Changes whenever the key is dropped or set; `undefined` where nothing is. */
  readonly fence: string | undefined;
  /** When it ends, in milliseconds since the epoch; `Infinity` for never. */
  readonly expiresAt: number;
}

/** Tags as numbers that only grow, without a clock: a bump takes the next one. What carries a tag is valid while its own number is not below the tag's. */
export interface Tags {
  /** The number of the last bump: what a load takes along before it begins. */
  latest(): Promise<number>;
  /** Whatever carries one of the tags and began before now is no longer valid. Answers with the number of this bump. */
  bump(tags: readonly string[]): Promise<number>;
  /** The number of each tag's last bump; `Infinity` for one that is not known (any more). */
  numbers(tags: readonly string[]): Promise<readonly number[]>;
  /**
   * Remembers the tags for at least as long as a value lives that carries them; a tag that is not known begins at `since`, the number that the
   * value's load took along. Answers with their numbers.
   */
  hold(tags: readonly string[], ttlMs: number | undefined, since: number): Promise<readonly number[]>;
}

/** Messages between all processes that use a provider. */
export interface Bus {
  /** Tells everybody. When it has to be told later, together with too much else, `instead` is told once in place of all of it. */
  publish(channel: string, text: string, instead?: string): Promise<unknown>;
  /** Hears a channel, on a connection of its own that is opened again when it is lost. */
  subscribe(channel: string, hearing: Hearing): Subscription;
}

/** What a subscription tells. */
export interface Hearing {
  readonly message: (text: string) => void;
  /** It hears everything from now on. */
  readonly up: () => void;
  /** It may miss messages from now on. */
  readonly down: () => void;
}

/** A channel that is heard. */
export interface Subscription {
  close(): void;
}

/** A change in a provider's health. */
export type StoreChange =
  | { readonly up: false; readonly store: string; readonly error: unknown }
  | { readonly up: true; readonly store: string; readonly seconds: number };

/** Where state lives: cache values and algorithm state. Keys arrive finished. */
export interface Provider extends Store {
  /** Drops every key that begins with `prefix`. */
  clear(prefix: string): Awaitable<void>;
  /** A store below one prefix, when that is cheaper than joining prefix and key for each call. */
  open?(prefix: string): Store;
  /** The tags below a prefix, where several processes share them. */
  tags?(prefix: string): Tags;
  /** Messages to the other processes. */
  readonly bus?: Bus;
  /** Tells when the provider cannot be reached, and when it can again. Returns how to stop. */
  watch?(listener: (change: StoreChange) => void): () => void;
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
