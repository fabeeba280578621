import type { Clock, Timer } from '../core/clock.js';
import { type Duration, toMs } from '../core/duration.js';

interface Pending {
  readonly due: number;
  readonly order: number;
  readonly action: () => void;
}

/** A clock for tests: time passes only when `advance` says so. */
export class FakeClock implements Clock {
  #wall: number;
  #passed = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  /** Begins at `start`, in milliseconds since the epoch. */
  constructor(start: number = 1_700_000_000_000) {
    this.#wall = start;
  }

  now(): number {
    return Math.floor(this.#wall);
  }

  monotonic(): number {
    return this.#passed;
  }

  setTimer(action: () => void, ms: number): Timer {
    const pending: Pending = { due: this.#passed + Math.max(0, ms), order: this.#order++, action };
    this.#pending.add(pending);
    return { clear: () => void this.#pending.delete(pending), ref: () => undefined, unref: () => undefined };
  }

  /** How many timers are pending. */
  get timers(): number {
    return this.#pending.size;
  }

  /** Moves time by seconds, or by a duration such as `'250ms'`; fires what is due, in order, and lets promises settle in between. */
  async advance(duration: Duration): Promise<void> {
    const end = this.#passed + toMs(duration, 'advance: the duration');
    await settle();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#moveTo(next.due);
      this.#pending.delete(next);
      next.action();
      await settle();
    }
    this.#moveTo(end);
    await settle();
  }

  /** Sets the wall clock forward or back without letting time pass, as an administrator or NTP does. Milliseconds. */
  step(ms: number): void {
    this.#wall += ms;
  }

  #next(until: number): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.due > until) continue;
      if (!first || pending.due < first.due || (pending.due === first.due && pending.order < first.order)) first = pending;
    }
    return first;
  }

  #moveTo(passed: number): void {
    if (passed <= this.#passed) return;
    this.#wall += passed - this.#passed;
    this.#passed = passed;
  }
}

/** Lets everything run that waits for nothing but promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
