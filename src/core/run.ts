import { Call, invoke, invokeRaw } from './call.js';
import type { Around, Behaviour, Beside, Exit, Next } from './policy.js';

/** A policy beside the call, its state's type forgotten: only it knows what it put there. */
type Level = Beside<unknown>;

/**
 * Compiles policies, outermost first, into one runner. Policies around the call nest; neighbours beside it become one `Segment`.
 * A stack in which every policy is `sync` keeps synchronous functions synchronous.
 */
export function compile(behaviours: readonly Behaviour[]): (call: Call) => unknown {
  const sync = behaviours.every((behaviour) => 'sync' in behaviour && behaviour.sync === true);
  return compileAround(behaviours, (sync ? invokeRaw : invoke) as Next);
}

function compileAround(behaviours: readonly Behaviour[], innermost: Next): Next {
  let next = innermost;
  let end = behaviours.length;
  while (end > 0) {
    let start = end - 1;
    const last = behaviours[start] as Behaviour;
    if (isAround(last)) {
      next = around(last, next);
    } else {
      while (start > 0 && end - start < mostLevels && !isAround(behaviours[start - 1] as Behaviour)) start--;
      next = beside(new Segment(behaviours.slice(start, end) as Level[], next));
    }
    end = start;
  }
  return next;
}

/** Levels of one segment: as many as there are bits in the set of those that were left. */
const mostLevels = 31;

function isAround(behaviour: Behaviour): behaviour is Around {
  return 'run' in behaviour;
}

function around(policy: Around, inner: Next): Next {
  return (call) => {
    try {
      return policy.run(call, inner);
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

function beside(segment: Segment): Next {
  return segment.early
    ? (call) => new Promise((resolve, reject) => new Frame(segment, call, resolve, reject).run())
    : (call) => new Frame(segment, call, undefined, undefined).run() as Promise<unknown>;
}

/** Neighbouring policies beside the call, with what lies inside each of them. */
class Segment {
  readonly levels: readonly Level[];
  readonly inner: Next;
  /** For each level, what runs again when it recovers. */
  readonly rest: readonly Next[];
  /** For each level, the nearest early level outside it; −1 for none. */
  readonly scope: readonly number[];
  readonly early: boolean;

  constructor(levels: readonly Level[], inner: Next) {
    this.levels = levels;
    this.inner = inner;
    this.early = levels.some((level) => level.early === true);
    this.scope = levels.map((_, i) => levels.findLastIndex((level, j) => j < i && level.early === true));
    this.rest = levels.map((_, i) => (i + 1 < levels.length ? beside(new Segment(levels.slice(i + 1), inner)) : inner));
  }
}

/** The outcome of a level that was left early: nobody outside it is waiting any more. */
const gone: unique symbol = Symbol('gone');

/** One call through a segment: the states of its levels, and how far its end has travelled outwards. */
class Frame {
  readonly #segment: Segment;
  readonly #call: Call;
  readonly #states: unknown[];
  readonly #resolve: ((value: unknown) => void) | undefined;
  readonly #reject: ((error: unknown) => void) | undefined;
  /** The set of levels that were left early, a bit each: what comes from inside one of them ends there. */
  #left = 0;

  constructor(
    segment: Segment,
    call: Call,
    resolve: ((value: unknown) => void) | undefined,
    reject: ((error: unknown) => void) | undefined,
  ) {
    this.#segment = segment;
    this.#call = call;
    this.#states = new Array<unknown>(segment.levels.length);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Enters every level, runs what lies inside and leads its end outwards. A promise, or nothing where `#resolve` takes the end. */
  run(): unknown {
    const { levels, inner } = this.#segment;
    const depth = levels.length;
    let call = this.#call;
    for (let i = 0; i < depth; i++) {
      const level = levels[i] as Level;
      try {
        if (level.early === true) {
          const exit = new FrameExit(this, i, call);
          call = exit.call;
          this.#states[i] = new Entered(exit, level.open?.(exit));
        } else if (level.enter !== undefined) {
          this.#states[i] = level.enter(call);
        }
      } catch (error) {
        return this.#resolve ? this.#failed(i - 1, error) : this.#refused(i - 1, error);
      }
    }
    let result: unknown;
    try {
      result = inner(call);
    } catch (error) {
      // Only a synchronous stack comes here: everywhere else what lies inside answers with a promise.
      return this.#failure(depth - 1, error);
    }
    if (!(result instanceof Promise)) return this.#success(depth - 1, result);
    return this.#resolve
      ? result.then(
          (value: unknown) => this.#succeeded(depth - 1, value),
          (error: unknown) => this.#failed(depth - 1, error),
        )
      : result.then(
          (value: unknown) => this.#success(depth - 1, value),
          (error: unknown) => this.#failure(depth - 1, error),
        );
  }

  /** Ends the call at an early level. */
  leave(level: number, error: unknown): void {
    if (this.#hasLeft(level)) return;
    this.#left |= 1 << level;
    this.#failed(level - 1, error);
  }

  #hasLeft(level: number): boolean {
    return (this.#left & (1 << level)) !== 0;
  }

  async #refused(from: number, error: unknown): Promise<unknown> {
    return this.#failure(from, error);
  }

  #succeeded(from: number, value: unknown): void {
    try {
      this.#end(this.#success(from, value));
    } catch (error) {
      this.#reject?.(error);
    }
  }

  #failed(from: number, error: unknown): void {
    try {
      this.#end(this.#failure(from, error));
    } catch (thrown) {
      this.#reject?.(thrown);
    }
  }

  #end(outcome: unknown): void {
    if (outcome !== gone) this.#resolve?.(outcome);
  }

  /** Leads a value outwards from a level. Returns the outcome, a promise of it where a level recovers, or `gone`. */
  #success(from: number, value: unknown): unknown {
    const { levels } = this.#segment;
    for (let i = from; i >= 0; i--) {
      if (this.#hasLeft(i)) return gone;
      const level = levels[i] as Level;
      if (level.success === undefined) continue;
      let other: Promise<unknown> | undefined;
      try {
        other = level.success(value, this.#state(i), this.#callAt(i), this.#segment.rest[i] as Next);
      } catch (error) {
        return this.#failure(i - 1, error);
      }
      if (other !== undefined) return this.#follow(i - 1, other);
    }
    return value;
  }

  /** Leads an error outwards from a level. Throws it at the end, unless a level recovers. */
  #failure(from: number, error: unknown): unknown {
    const { levels } = this.#segment;
    let failure = error;
    for (let i = from; i >= 0; i--) {
      if (this.#hasLeft(i)) return gone;
      const level = levels[i] as Level;
      if (level.failure === undefined) continue;
      let other: Promise<unknown> | undefined;
      try {
        other = level.failure(failure, this.#state(i), this.#callAt(i), this.#segment.rest[i] as Next);
      } catch (thrown) {
        failure = thrown;
        continue;
      }
      if (other !== undefined) return this.#follow(i - 1, other);
    }
    throw failure;
  }

  /** Goes on outwards when a level's recovery has ended. */
  #follow(from: number, recovery: Promise<unknown>): unknown {
    if (this.#resolve === undefined) {
      return recovery.then(
        (value) => this.#success(from, value),
        (error: unknown) => this.#failure(from, error),
      );
    }
    void recovery.then(
      (value) => this.#succeeded(from, value),
      (error: unknown) => this.#failed(from, error),
    );
    return gone;
  }

  #state(level: number): unknown {
    const state = this.#states[level];
    return state instanceof Entered ? state.own : state;
  }

  #callAt(level: number): Call {
    const scope = this.#segment.scope[level] as number;
    return scope === -1 ? this.#call : (this.#states[scope] as Entered).exit.call;
  }
}

class FrameExit implements Exit {
  readonly call: Call;
  readonly #frame: Frame;
  readonly #level: number;

  constructor(frame: Frame, level: number, outer: Call) {
    this.#frame = frame;
    this.#level = level;
    this.call = outer.fork();
  }

  leave(error: unknown): void {
    this.call.abort(error);
    this.#frame.leave(this.#level, error);
  }
}

class Entered {
  constructor(
    readonly exit: Exit,
    readonly own: unknown,
  ) {}
}
