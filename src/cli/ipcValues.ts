import type { Clock } from '../core/clock.js';
import type { Provider, Seen } from '../core/provider.js';

interface Kept {
  readonly value: unknown;
  readonly fence: string;
  readonly expiresAt: number;
}

interface Making {
  fence: string;
  makers: number;
}

/**
 * The cached values of one worker. They lie in its own memory: an answer that travelled between processes would cost more than it saves.
 * A value that was being made while its key was dropped, here or by another worker, is not kept.
 */
export class LocalValues {
  readonly #memory: Provider;
  readonly #clock: Clock;
  readonly #making = new Map<string, Making>();
  #fences = 0;

  constructor(memory: Provider, clock: Clock) {
    this.#memory = memory;
    this.#clock = clock;
  }

  get(key: string, now?: number): unknown {
    return this.#kept(key, now)?.value;
  }

  set(key: string, value: unknown, ttl?: number, now?: number): void {
    this.#keep(key, value, ttl, this.#newFence(key), now);
  }

  /** Whether there was something. */
  drop(key: string): boolean {
    this.#newFence(key);
    return this.#memory.delete(key) as boolean;
  }

  clear(prefix: string): void {
    for (const key of this.#making.keys()) if (key.startsWith(prefix)) this.#newFence(key);
    void this.#memory.clear(prefix);
  }

  read(key: string): Seen {
    const kept = this.#kept(key);
    return kept ?? { value: undefined, fence: this.#making.get(key)?.fence, expiresAt: 0 };
  }

  begin(key: string): string {
    const making = this.#making.get(key);
    if (making) {
      making.makers++;
      return making.fence;
    }
    const fence = this.#kept(key)?.fence ?? this.#nextFence();
    this.#making.set(key, { fence, makers: 1 });
    return fence;
  }

  put(key: string, value: unknown, ttl: number | undefined, fence: string): boolean {
    const holds = this.#making.get(key)?.fence === fence;
    this.leave(key);
    if (holds) this.#keep(key, value, ttl, fence);
    return holds;
  }

  leave(key: string): void {
    const making = this.#making.get(key);
    if (making && --making.makers <= 0) this.#making.delete(key);
  }

  #kept(key: string, now?: number): Kept | undefined {
    return this.#memory.get(key, now) as Kept | undefined;
  }

  #keep(key: string, value: unknown, ttl: number | undefined, fence: string, given?: number): void {
    const now = given ?? this.#clock.now();
    const kept: Kept = { value, fence, expiresAt: ttl === undefined ? Infinity : now + ttl };
    void this.#memory.set(key, kept, ttl, now);
  }

  #newFence(key: string): string {
    const fence = this.#nextFence();
    const making = this.#making.get(key);
    if (making) making.fence = fence;
    return fence;
  }

  #nextFence(): string {
    return String(++this.#fences);
  }
}
