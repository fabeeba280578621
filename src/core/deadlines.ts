import { type Clock, maxTimerMs, type Timer } from './clock.js';

/** Something that is due after its list's span, unless it is removed before. */
export class Deadline<T> {
  previous: Deadline<T> | undefined = undefined;
  next: Deadline<T> | undefined = undefined;
  due = 0;
  listed = false;

  constructor(
    readonly of: T,
    readonly expired: (of: T) => void,
  ) {}
}

/**
 * All deadlines of one span on one clock. They fall due in the order in which they were added, so a linked list and a single timer
 * carry them all: adding and removing costs a few nanoseconds, and no call pays for a timer of its own.
 *
 * Its timer keeps the process alive only while something is listed.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #ms: number;
  #first: Deadline<never> | undefined;
  #last: Deadline<never> | undefined;
  #timer: Timer | undefined;
  #resting = false;
  #restPlanned = false;

  readonly #idle: () => void;

  /** `idle` is called when its timer has fired and nothing is listed. */
  constructor(clock: Clock, ms: number, idle: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#idle = idle;
  }

  add<T>(deadline: Deadline<T>): Deadline<T> {
    const entry = deadline as unknown as Deadline<never>;
    entry.due = this.#clock.monotonic() + this.#ms;
    entry.listed = true;
    entry.previous = this.#last;
    if (this.#last) this.#last.next = entry;
    else this.#first = entry;
    this.#last = entry;
    if (this.#timer === undefined) this.#arm(this.#ms);
    else if (this.#resting) {
      this.#resting = false;
      this.#timer.ref();
    }
    return deadline;
  }

  remove<T>(deadline: Deadline<T>): void {
    const entry = deadline as unknown as Deadline<never>;
    if (!entry.listed) return;
    entry.listed = false;
    if (entry.previous) entry.previous.next = entry.next;
    else this.#first = entry.next;
    if (entry.next) entry.next.previous = entry.previous;
    else this.#last = entry.previous;
    entry.previous = entry.next = undefined;
    if (this.#first === undefined && !this.#restPlanned) this.#planRest();
  }

  #arm(ms: number): void {
    this.#resting = false;
    this.#timer = this.#clock.setTimer(() => this.#fire(), Math.min(ms, maxTimerMs));
  }

  #fire(): void {
    this.#timer = undefined;
    for (let first = this.#first; first && first.due <= this.#clock.monotonic(); first = this.#first) {
      this.remove(first);
      (first.expired as (of: unknown) => void)(first.of);
    }
    // A deadline that fired may have added another, and armed the timer with it.
    if (this.#first === undefined) this.#idle();
    else if (this.#timer === undefined) this.#arm(this.#first.due - this.#clock.monotonic());
  }

  /** An empty list lets the process go, once the current turn is over: switching a timer's hold twice a call would cost more than it. */
  #planRest(): void {
    this.#restPlanned = true;
    setImmediate(() => {
      this.#restPlanned = false;
      if (this.#first !== undefined || this.#timer === undefined || this.#resting) return;
      this.#resting = true;
      this.#timer.unref();
    });
  }
}

const lists = new WeakMap<Clock, Map<number, Deadlines>>();

/** The list of that span on that clock, shared by everybody while it is in use. */
export function deadlinesOf(clock: Clock, ms: number): Deadlines {
  let ofClock = lists.get(clock);
  if (ofClock === undefined) lists.set(clock, (ofClock = new Map()));
  const spans = ofClock;
  let deadlines = spans.get(ms);
  if (deadlines === undefined) {
    const made = new Deadlines(clock, ms, () => void (spans.get(ms) === made && spans.delete(ms)));
    spans.set(ms, (deadlines = made));
  }
  return deadlines;
}
