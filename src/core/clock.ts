import { performance } from 'node:perf_hooks';

/** Where time comes from. Tests hand in a `FakeClock`; everything else uses `systemClock`. */
export interface Clock {
  /** Milliseconds since the epoch, whole. */
  now(): number;
  /** Milliseconds that never step back, for measuring spans. */
  monotonic(): number;
  /** Runs `action` once after `ms` milliseconds. Spans over 2^31 − 1 ms may fire early: ask again. */
  setTimer(action: () => void, ms: number): Timer;
}

/** A pending timer. */
export interface Timer {
  clear(): void;
  /** A timer that is `unref`ed does not keep the process alive. */
  ref(): void;
  unref(): void;
}

/** The longest span that Node's timers can hold. */
export const maxTimerMs: number = 2 ** 31 - 1;

class SystemTimer implements Timer {
  readonly #timeout: ReturnType<typeof setTimeout>;

  constructor(action: () => void, ms: number) {
    this.#timeout = setTimeout(action, Math.min(Math.ceil(ms), maxTimerMs));
  }
  clear(): void {
    clearTimeout(this.#timeout);
  }
  ref(): void {
    this.#timeout.ref();
  }
  unref(): void {
    this.#timeout.unref();
  }
}

/** The latest instant that was told, and by how much the wall clock has been set back since. In an array, so that storing a number makes none. */
const told = new Float64Array(2);

/** The machine's clock. A wall clock that is set back goes on from where it was, so that no window grows by the step. */
export const systemClock: Clock = {
  now() {
    const now = Date.now() + (told[1] as number);
    const latest = told[0] as number;
    if (now >= latest) return (told[0] = now);
    told[1] = (told[1] as number) + latest - now;
    return latest;
  },
  monotonic: () => performance.now(),
  setTimer: (action, ms) => new SystemTimer(action, ms),
};

/** Runs `action` once after `ms` milliseconds, however long that is. The handle's `clear` is safe at any time. */
export function after(clock: Clock, ms: number, action: () => void): Pick<Timer, 'clear'> {
  const due = clock.monotonic() + ms;
  let timer: Timer;
  const arm = (left: number): void => {
    timer = clock.setTimer(
      () => {
        const rest = due - clock.monotonic();
        if (rest > 0) arm(rest);
        else action();
      },
      Math.min(left, maxTimerMs),
    );
  };
  arm(ms);
  return { clear: () => timer.clear() };
}
