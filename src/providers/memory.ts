import { type Clock, systemClock } from '../core/clock.js';
import { integer, schema, value } from '../core/options.js';
import type { Algorithm, Provider, Step, Store, Verdict } from '../core/provider.js';
import { Part, Pool, stepAll } from './part.js';

/** Options of `memory()`. */
export interface MemoryOptions {
  /**
   * How many keys there may be in all. When there are more, the part with the most keys gives up its least recently used.
   * @default 100_000
   */
  maxEntries?: number;
  /** How many bytes the cached values may take together, estimated. No limit by default. */
  maxBytes?: number;
  /** @default the machine's clock, or the one of the Premier whose default provider this is */
  clock?: Clock;
}

const memoryOptions = schema<MemoryOptions>('memory')({
  maxEntries: integer(1),
  maxBytes: integer(1),
  clock: value<Clock>('a Clock', (given) => typeof (given as Clock | null)?.now === 'function'),
});

/**
 * State in this process: bounded, without a timer per key. Several instances of Premier may share one. Throws `OptionsError` for
 * options that are wrong.
 */
export function memory(options: MemoryOptions = {}): Provider {
  const { maxEntries, maxBytes, clock } = memoryOptions.parse(options);
  return new Memory(maxEntries ?? 100_000, maxBytes ?? Infinity, clock ?? systemClock);
}

class Memory implements Provider {
  readonly #parts = new Map<string, Part>();
  readonly #pool: Pool;
  readonly #root: Part;

  constructor(maxEntries: number, maxBytes: number, clock: Clock) {
    this.#pool = new Pool(maxEntries, maxBytes, clock);
    this.#root = new Part(this.#pool);
    this.#parts.set('', this.#root);
  }

  open(prefix: string): Store {
    let part = this.#parts.get(prefix);
    if (part === undefined) {
      this.#parts.set(prefix, (part = new Part(this.#pool)));
      for (const [key, entry] of this.#root.take(prefix)) part.put(key, entry);
    }
    return part;
  }

  /** The part that a whole key lies in: the one with the longest prefix. */
  #partOf(key: string): [Part, string] {
    let longest = '';
    for (const prefix of this.#parts.keys()) {
      if (prefix.length > longest.length && key.startsWith(prefix)) longest = prefix;
    }
    return [this.#parts.get(longest) as Part, key.slice(longest.length)];
  }

  get(key: string, now?: number): unknown {
    const [part, rest] = this.#partOf(key);
    return part.get(rest, now);
  }

  set(key: string, stored: unknown, ttlMs?: number, now?: number): void {
    const [part, rest] = this.#partOf(key);
    part.set(rest, stored, ttlMs, now);
  }

  delete(key: string): boolean {
    const [part, rest] = this.#partOf(key);
    return part.delete(rest);
  }

  has(key: string): boolean {
    const [part, rest] = this.#partOf(key);
    return part.has(rest);
  }

  step<S extends object, P, D extends { readonly resetAfter: number }>(key: string, algorithm: Algorithm<S, P, D>, params: P): D {
    const [part, rest] = this.#partOf(key);
    return part.step(rest, algorithm, params);
  }

  stepAll(steps: readonly Step[]): readonly Verdict[] {
    return stepAll(this.#pool.clock, steps, (key) => this.#partOf(key));
  }

  clear(prefix: string): void {
    for (const [name, part] of this.#parts) {
      if (name.startsWith(prefix)) part.clear();
      else if (prefix.startsWith(name)) part.take(prefix.slice(name.length));
    }
  }

  close(): void {
    // Nothing was opened: what is kept goes with the object.
  }
}
