import type { Clock } from '../core/clock.js';
import type { Algorithm, Step, Store, Verdict } from '../core/provider.js';
import { Recent } from './recent.js';
import { sizeOf } from './sizeOf.js';

/** What all parts of one memory share: the clock, the room, and who has to give some up. */
export class Pool {
  readonly parts = new Set<Part>();
  entries = 0;
  bytes = 0;

  constructor(
    readonly maxEntries: number,
    readonly maxBytes: number,
    readonly clock: Clock,
  ) {}

  /**
   * Makes room after a part has grown. Cached values go before counters, which cannot be loaded again; the part with the most of them
   * pays, never with the key that was just written.
   */
  settle(grown: Part): void {
    while (this.bytes > this.maxBytes && this.#payer(grown, 'bytes', this.maxBytes).evictValue());
    while (this.entries > this.maxEntries) {
      const payer = this.#payer(grown, 'values', this.maxEntries);
      const spare = payer === grown ? payer.values - 1 : payer.values;
      const made = spare > 0 ? payer.evictValue() : this.#payer(grown, 'counters', this.maxEntries).evictCounter();
      if (!made) return;
    }
  }

  /** The part with the most, the newest key of `grown` left out. Who has a fair share of all the room pays without a search. */
  #payer(grown: Part, of: 'values' | 'counters' | 'bytes', room: number): Part {
    let most = grown[of] - 1;
    if (most * this.parts.size >= room) return grown;
    let payer = grown;
    for (const part of this.parts) {
      if (part === grown || part[of] <= most) continue;
      payer = part;
      most = part[of];
    }
    return payer;
  }
}

/** A cached value. */
export interface Entry {
  readonly value: unknown;
  readonly expiresAt: number;
  readonly bytes: number;
}

/** The keys below one prefix: values of a cache, or states of an algorithm. */
export class Part implements Store {
  readonly #pool: Pool;
  #values = new Recent<Entry>();
  /** States of keys that came back. */
  #regulars = new Recent<object>();
  /** States of keys that were used once: they make room first, so that a flood of them pushes out no counter that is in use. */
  #newcomers = new Recent<object>();
  /** The regular key that was stepped last, and its state: a key that is hammered needs no look-up. */
  #hotKey: string | undefined;
  #hot: object | undefined;
  bytes = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
    pool.parts.add(this);
  }

  /** Cached values. */
  get values(): number {
    return this.#values.size;
  }

  /** States of algorithms. */
  get counters(): number {
    return this.#regulars.size + this.#newcomers.size;
  }

  get(key: string, now?: number): unknown {
    const entry = this.#values.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt === Infinity || (now ?? this.#pool.clock.now()) < entry.expiresAt) return entry.value;
    this.#drop(key, entry);
    return undefined;
  }

  set(key: string, stored: unknown, ttlMs?: number, now?: number): void {
    const bytes = this.#pool.maxBytes === Infinity ? 0 : sizeOf(stored) + key.length * 2;
    const expiresAt = ttlMs === undefined ? Infinity : (now ?? this.#pool.clock.now()) + ttlMs;
    this.put(key, { value: stored, expiresAt, bytes });
  }

  put(key: string, entry: Entry): void {
    const old = this.#values.peek(key);
    if (entry.bytes > this.#pool.maxBytes) {
      // One value that is larger than all the room would push out everything, and then itself.
      if (old) this.#drop(key, old);
      return;
    }
    this.#values.set(key, entry);
    if (old === undefined) this.#pool.entries++;
    this.#count(entry.bytes - (old?.bytes ?? 0));
    this.#pool.settle(this);
  }

  delete(key: string): boolean {
    this.#cool();
    const entry = this.#values.peek(key);
    if (entry) this.#drop(key, entry);
    const state = this.#regulars.delete(key) || this.#newcomers.delete(key);
    if (state) this.#pool.entries--;
    return entry !== undefined || state;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined || this.#regulars.peek(key) !== undefined || this.#newcomers.peek(key) !== undefined;
  }

  step<S extends object, P, D extends { readonly resetAfter: number }>(key: string, algorithm: Algorithm<S, P, D>, params: P): D {
    const now = this.#pool.clock.now();
    const known = this.state(key);
    if (known !== undefined) return algorithm.step(known as S, params, now);
    const state = algorithm.create(params);
    const decision = algorithm.step(state, params, now);
    if (decision.resetAfter > 0) this.putState(key, state);
    return decision;
  }

  stepAll(steps: readonly Step[]): readonly Verdict[] {
    return stepAll(this.#pool.clock, steps, (key) => [this, key]);
  }

  /** The state of a key, which is in use from now on. */
  state(key: string): object | undefined {
    if (key === this.#hotKey) return this.#hot;
    const state = this.#regulars.get(key) ?? this.#returning(key);
    if (state !== undefined) {
      this.#hotKey = key;
      this.#hot = state;
    }
    return state;
  }

  putState(key: string, state: object): void {
    this.#cool();
    if (this.#regulars.peek(key) !== undefined) return this.#regulars.set(key, state);
    if (this.#newcomers.peek(key) === undefined) this.#pool.entries++;
    this.#newcomers.set(key, state);
    this.#pool.settle(this);
  }

  /** A newcomer that comes back is a regular from now on. */
  #returning(key: string): object | undefined {
    if (this.#newcomers.size === 0) return undefined;
    const state = this.#newcomers.peek(key);
    if (state === undefined) return undefined;
    this.#newcomers.delete(key);
    this.#regulars.set(key, state);
    return state;
  }

  /** Gives up the value that was not asked for the longest. */
  evictValue(): boolean {
    const value = this.#values.pop();
    if (value === undefined) return false;
    this.#count(-value.bytes);
    return this.#lost();
  }

  /** Gives up one counter: the oldest newcomer while they have more than an eighth of the room, then the least recently used. */
  evictCounter(): boolean {
    this.#cool();
    const crowded = this.#newcomers.size > this.counters >> 3;
    const [first, second] = crowded ? [this.#newcomers, this.#regulars] : [this.#regulars, this.#newcomers];
    return (first.pop() ?? second.pop()) ? this.#lost() : false;
  }

  /** Removes the keys that begin with `prefix`, and returns the values among them under the rest of their key. */
  take(prefix: string): [string, Entry][] {
    const taken: [string, Entry][] = [];
    for (const key of [...this.#values.keys(), ...this.#regulars.keys(), ...this.#newcomers.keys()]) {
      if (!key.startsWith(prefix)) continue;
      const entry = this.#values.peek(key);
      this.delete(key);
      if (entry) taken.push([key.slice(prefix.length), entry]);
    }
    return taken;
  }

  clear(): void {
    this.#cool();
    this.#pool.entries -= this.values + this.counters;
    this.#count(-this.bytes);
    this.#values = new Recent();
    this.#regulars = new Recent();
    this.#newcomers = new Recent();
  }

  #cool(): void {
    this.#hotKey = undefined;
    this.#hot = undefined;
  }

  #drop(key: string, entry: Entry): void {
    this.#values.delete(key);
    this.#count(-entry.bytes);
    this.#lost();
  }

  #lost(): true {
    this.#pool.entries--;
    return true;
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    this.#pool.bytes += bytes;
  }
}

/** Asks every step on a copy, and keeps the copies only if all admit. */
export function stepAll(clock: Clock, steps: readonly Step[], partOf: (key: string) => [Part, string]): readonly Verdict[] {
  const now = clock.now();
  const copies = new Map<string, object>();
  const verdicts = steps.map(({ key, algorithm, params }) => {
    const [part, rest] = partOf(key);
    const known = copies.get(key) ?? part.state(rest);
    const state = known === undefined ? algorithm.create(params as never) : algorithm.copy(known);
    const verdict = algorithm.step(state, params as never, now);
    if (verdict.allowed) copies.set(key, state);
    return verdict;
  });
  if (verdicts.every((verdict) => verdict.allowed)) {
    for (const [key, state] of copies) {
      const [part, rest] = partOf(key);
      part.putState(rest, state);
    }
  }
  return verdicts;
}
