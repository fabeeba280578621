import { type Call, invoke, invokeRaw } from './call.js';
import { type Around, type Behaviour, type Beside, type Exit, type Next, Refusal } from './policy.js';

/**
 * Compiles policies, outermost first, into one runner. Policies around the call nest; neighbours beside it share one frame and one
 * promise. A stack in which every policy is `sync` keeps synchronous functions synchronous.
 */
export function compile(behaviours: readonly Behaviour[]): (call: Call) => unknown {
  const sync = behaviours.every((behaviour) => 'sync' in behaviour && behaviour.sync === true);
  if (!sync) return compileAround(behaviours);
  return (behaviours as readonly Beside[]).reduceRight((inner, level) => besideSync(level, inner), invokeRaw);
}

/** Levels of one segment: as many as there are bits in the set of those that were left. */
const mostLevels = 31;

function compileAround(behaviours: readonly Behaviour[]): Next {
  let next: Next = invoke;
  let end = behaviours.length;
  while (end > 0) {
    let start = end - 1;
    const last = behaviours[start] as Behaviour;
    if (isAround(last)) {
      next = around(last, next);
    } else {
      while (start > 0 && end - start < mostLevels && !isAround(behaviours[start - 1] as Behaviour)) start--;
      next = beside(behaviours.slice(start, end) as Beside[], next);
    }
    end = start;
  }
  return next;
}

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

function beside(levels: readonly Beside[], inner: Next): Next {
  const [only] = levels;
  if (levels.length === 1 && only !== undefined && only.early !== true) return alone(only, inner);
  const segment = new Segment(levels, inner);
  return (call) => new Promise((resolve, reject) => new Frame(segment, call, resolve, reject).run());
}

/** The commonest stack, one policy that never ends a call early: nothing is made for it but what `then` needs. */
function alone(level: Beside, inner: Next): Next {
  return (call) => {
    let state: unknown;
    if (level.enter !== undefined) {
      try {
        state = level.enter(call);
      } catch (error) {
        return Promise.reject(error);
      }
      if (state instanceof Refusal) return Promise.reject(state.error);
    }
    return inner(call).then(
      level.success && ((value) => level.success?.(value, state, call, inner) ?? value),
      level.failure &&
        ((error: unknown) => {
          const other = level.failure?.(error, state, call, inner);
          if (other !== undefined) return other;
          throw error;
        }),
    );
  };
}

/** A policy that works around a synchronous function too: what comes from inside decides which it is. */
function besideSync(level: Beside, inner: (call: Call) => unknown): (call: Call) => unknown {
  const again = inner as Next;
  return (call) => {
    const state = level.enter?.(call);
    const failed = (error: unknown): never => {
      void level.failure?.(error, state, call, again);
      throw error;
    };
    let result: unknown;
    try {
      result = inner(call);
    } catch (error) {
      return failed(error);
    }
    if (result instanceof Promise) {
      return result.then((value: unknown) => {
        void level.success?.(value, state, call, again);
        return value;
      }, failed);
    }
    void level.success?.(result, state, call, again);
    return result;
  };
}

/** Neighbouring policies beside the call, with what lies inside each of them. */
class Segment {
  readonly levels: readonly Beside[];
  readonly inner: Next;
  /** For each level, what runs again when it recovers. */
  readonly rest: readonly Next[];
  /** For each level, the nearest early level outside it; −1 for none. */
  readonly scope: readonly number[];

  constructor(levels: readonly Beside[], inner: Next) {
    this.levels = levels;
    this.inner = inner;
    this.scope = levels.map((_, i) => levels.findLastIndex((level, j) => j < i && level.early === true));
    this.rest = levels.map((_, i) => (i + 1 < levels.length ? beside(levels.slice(i + 1), inner) : inner));
  }
}

/**
 * One call through a segment: the states of its levels, and how far its end has travelled outwards. Plain fields and no private methods:
 * one is made for each call.
 */
class Frame {
  /** The set of levels that were left early, a bit each: what comes from inside one of them ends there. */
  private left = 0;
  private readonly states: unknown[] = [];

  constructor(
    private readonly segment: Segment,
    private readonly call: Call,
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  /** Enters every level, runs what lies inside and leads its end outwards. */
  run(): void {
    const { levels, inner } = this.segment;
    const depth = levels.length;
    let call = this.call;
    for (let i = 0; i < depth; i++) {
      const level = levels[i] as Beside;
      try {
        if (level.early === true) {
          const exit = new FrameExit(this, i, call.fork());
          call = exit.call;
          this.states.push(exit);
          exit.own = level.open?.(exit);
        } else {
          const state = level.enter?.(call);
          if (state instanceof Refusal) return this.fail(i - 1, state.error);
          this.states.push(state);
        }
      } catch (error) {
        return this.fail(i - 1, error);
      }
    }
    inner(call).then(
      (value) => this.succeed(depth - 1, value),
      (error: unknown) => this.fail(depth - 1, error),
    );
  }

  /** Ends the call at an early level. */
  leave(level: number, error: unknown): void {
    if (this.hasLeft(level)) return;
    this.left |= 1 << level;
    this.fail(level - 1, error);
  }

  /** Leads a value outwards from a level. */
  private succeed(from: number, value: unknown): void {
    const { levels, rest } = this.segment;
    for (let i = from; i >= 0; i--) {
      if (this.hasLeft(i)) return;
      const level = levels[i] as Beside;
      if (level.success === undefined) continue;
      let other: Promise<unknown> | undefined;
      try {
        other = level.success(value, this.state(i), this.callAt(i), rest[i] as Next);
      } catch (error) {
        return this.fail(i - 1, error);
      }
      if (other !== undefined) return this.follow(i - 1, other);
    }
    this.resolve(value);
  }

  /** Leads an error outwards from a level. */
  private fail(from: number, error: unknown): void {
    const { levels, rest } = this.segment;
    let failure = error;
    for (let i = from; i >= 0; i--) {
      if (this.hasLeft(i)) return;
      const level = levels[i] as Beside;
      if (level.failure === undefined) continue;
      let other: Promise<unknown> | undefined;
      try {
        other = level.failure(failure, this.state(i), this.callAt(i), rest[i] as Next);
      } catch (thrown) {
        failure = thrown;
        continue;
      }
      if (other !== undefined) return this.follow(i - 1, other);
    }
    this.reject(failure);
  }

  /** Goes on outwards when a level's recovery has ended. */
  private follow(from: number, recovery: Promise<unknown>): void {
    recovery.then(
      (value) => this.succeed(from, value),
      (error: unknown) => this.fail(from, error),
    );
  }

  private hasLeft(level: number): boolean {
    return (this.left & (1 << level)) !== 0;
  }

  private state(level: number): unknown {
    const state = this.states[level];
    return state instanceof FrameExit ? state.own : state;
  }

  private callAt(level: number): Call {
    const scope = this.segment.scope[level] as number;
    return scope === -1 ? this.call : (this.states[scope] as FrameExit).call;
  }
}

/** The way out of one level of a frame, with the state of its policy. */
class FrameExit implements Exit {
  own: unknown = undefined;

  constructor(
    private readonly frame: Frame,
    private readonly level: number,
    readonly call: Call,
  ) {}

  leave(error: unknown): void {
    this.call.abort(error);
    this.frame.leave(this.level, error);
  }
}
