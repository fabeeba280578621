import type { Call } from '../core/call.js';
import { after, type Clock } from '../core/clock.js';
import type { Awaitable } from '../core/provider.js';
import type { Ruling } from './limit.js';

/** A call that waits until its limit admits it. */
interface Waiter {
  readonly spend: () => Awaitable<Ruling>;
  readonly admit: (ruling: Ruling) => void;
  readonly refuse: (ruling: Ruling) => void;
  readonly fail: (error: unknown) => void;
  readonly until: number;
}

/** The calls of one key that wait until a limit admits them (`onExceeded: 'wait'`), first come first served: only the first one asks. */
export class Line {
  readonly #clock: Clock;
  readonly #emptied: () => void;
  readonly #waiting: Waiter[] = [];
  #timer: { clear(): void } | undefined;
  #asking = false;

  constructor(clock: Clock, emptied: () => void) {
    this.#clock = clock;
    this.#emptied = emptied;
  }

  /** Waits, at most `maxWait` milliseconds; resolves with the ruling that admits, or the one that refuses for good. */
  wait(call: Call, maxWait: number, spend: () => Awaitable<Ruling>): Promise<Ruling> {
    return new Promise((resolve, reject) => {
      const settle =
        <T>(done: (value: T) => void) =>
        (value: T): void => {
          forget();
          done(value);
        };
      const waiter: Waiter = {
        spend,
        admit: settle(resolve),
        refuse: settle(resolve),
        fail: settle(reject),
        until: this.#clock.monotonic() + maxWait,
      };
      this.#waiting.push(waiter);
      const forget = call.onAbort((reason) => {
        this.#remove(waiter);
        reject(reason);
      });
      if (this.#waiting[0] === waiter) this.#ask();
    });
  }

  #remove(waiter: Waiter): void {
    const place = this.#waiting.indexOf(waiter);
    if (place === -1) return;
    this.#waiting.splice(place, 1);
    if (place === 0) this.#ask();
  }

  /** Asks for the first in line; waits as long as it is told to, and asks again. */
  #ask(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    if (this.#asking) return;
    const [first] = this.#waiting;
    if (!first) return this.#emptied();
    this.#asking = true;
    void Promise.resolve()
      .then(() => first.spend())
      .then(
        (ruling) => this.#heard(first, ruling),
        (error: unknown) => this.#shift(first, () => first.fail(error)),
      );
  }

  #heard(first: Waiter, ruling: Ruling): void {
    if (ruling.verdict.allowed) return this.#shift(first, () => first.admit(ruling));
    this.#asking = false;
    const wait = ruling.verdict.retryAfter;
    const now = this.#clock.monotonic();
    // Who cannot be admitted in time is told now; for those behind it the wait is no shorter, but their time may be.
    const hopeless = this.#waiting.filter((waiter) => now + wait > waiter.until);
    for (const waiter of hopeless) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.refuse(ruling);
    }
    if (hopeless.includes(first)) return this.#ask();
    this.#timer = after(this.#clock, wait, () => this.#ask());
  }

  #shift(first: Waiter, then: () => void): void {
    this.#asking = false;
    const place = this.#waiting.indexOf(first);
    if (place !== -1) this.#waiting.splice(place, 1);
    then();
    this.#ask();
  }
}
