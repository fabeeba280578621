import type { Call } from '../core/call.js';
import { after, type Clock } from '../core/clock.js';

/** A call that waits for its turn. */
interface Waiter {
  due: number;
  readonly go: () => void;
}

/**
 * The calls of one leaky bucket that wait here for the instant that was reserved for them, in order, with one timer for all. A call
 * that gives up hands its instant to the next one, and so on; `giveBack` hears in how many milliseconds the last instant is, which is free.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #emptied: () => void;
  readonly #waiting: Waiter[] = [];
  #timer: { clear(): void } | undefined;

  constructor(clock: Clock, emptied: () => void) {
    this.#clock = clock;
    this.#emptied = emptied;
  }

  /** Resolves after `delay` milliseconds, or sooner when an earlier call gives up; rejects when `call` is aborted. */
  wait(call: Call, delay: number, giveBack: (left: number) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        due: this.#clock.monotonic() + delay,
        go: () => {
          forget();
          resolve();
        },
      };
      this.#waiting.push(waiter);
      const forget = call.onAbort((reason) => {
        const last = this.#waiting.at(-1) ?? waiter;
        const left = last.due - this.#clock.monotonic();
        this.#leave(waiter);
        giveBack(left);
        reject(reason);
      });
      if (this.#waiting[0] === waiter) this.#arm();
    });
  }

  #leave(waiter: Waiter): void {
    const place = this.#waiting.indexOf(waiter);
    if (place === -1) return;
    for (let i = this.#waiting.length - 1; i > place; i--) (this.#waiting[i] as Waiter).due = (this.#waiting[i - 1] as Waiter).due;
    this.#waiting.splice(place, 1);
    this.#arm();
  }

  #arm(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (first) this.#timer = after(this.#clock, Math.max(0, first.due - this.#clock.monotonic()), () => this.#next());
    else this.#emptied();
  }

  #next(): void {
    const now = this.#clock.monotonic();
    while (this.#waiting.length > 0 && (this.#waiting[0] as Waiter).due <= now) (this.#waiting.shift() as Waiter).go();
    this.#arm();
  }
}
