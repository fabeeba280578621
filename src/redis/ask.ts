import type { LuaReply, LuaStep } from '../core/provider.js';
import type { Asked } from './harness.js';
import type { AnyStep } from './lua.js';

/** One step that somebody waits for. */
export class Ask<P, D> implements Asked {
  readonly key: string;
  readonly step: AnyStep;
  readonly args: readonly (string | number)[];
  readonly joined: boolean;
  readonly params: P;
  readonly resolve: (decision: D) => void;
  readonly reject: (error: unknown) => void;

  constructor(
    key: string,
    step: LuaStep<P, D>,
    params: P,
    args: readonly (string | number)[],
    joined: boolean,
    resolve: (decision: D) => void,
    reject: (error: unknown) => void,
  ) {
    this.key = key;
    this.step = step;
    this.args = args;
    this.joined = joined;
    this.params = params;
    this.resolve = resolve;
    this.reject = reject;
  }

  answered(reply: LuaReply): void {
    try {
      this.resolve(this.decide(reply));
    } catch (error) {
      this.reject(error);
    }
  }

  /** The store did not answer. */
  failed(error: unknown): void {
    this.reject(error);
  }

  protected decide(reply: LuaReply): D {
    return this.step.decision(reply, this.params as never) as D;
  }
}
