import type { Call } from './call.js';
import { type Beside, type Exit, type Next, Refusal } from './policy.js';

/** Neighbouring policies beside the call, with what lies inside each of them. */
export class Segment {
  readonly levels: readonly Beside[];
  readonly inner: Next;
  /** For each level, what runs again when it recovers. */
  readonly rest: readonly Next[];
  /** For each level, the nearest early level outside it; −1 for none. */
  readonly scope: readonly number[];

  constructor(levels: readonly Beside[], inner: Next, rest: readonly Next[]) {
    this.levels = levels;
    this.inner = inner;
    this.rest = rest;
    this.scope = levels.map((_, i) => levels.findLastIndex((level, j) => j < i && level.early === true));
  }
}

/**
 * One call through a segment: the states of its levels, and how far its end has travelled outwards. Plain fields and no private methods:
 * one is made for each call.
 */
export class Frame {
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
          const exit = new FrameExit(this, i, call.fork(), call.nested);
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
      if (other !== undefined) return this.follow(i, other);
      this.release(i);
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
      if (other !== undefined) return this.follow(i, other);
      this.release(i);
    }
    this.reject(failure);
  }

  /** Goes on outwards when a level's recovery has ended. */
  private follow(level: number, recovery: Promise<unknown>): void {
    recovery.then(
      (value) => {
        if (this.hasLeft(level)) return;
        this.release(level);
        this.succeed(level - 1, value);
      },
      (error: unknown) => {
        if (this.hasLeft(level)) return;
        this.release(level);
        this.fail(level - 1, error);
      },
    );
  }

  /** The calls above keep nothing of a level that is over. */
  private release(level: number): void {
    const state = this.states[level];
    if (state instanceof FrameExit) state.call.release();
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
    readonly nested: boolean,
  ) {}

  leave(error: unknown): void {
    this.call.abort(error);
    this.frame.leave(this.level, error);
  }
}
