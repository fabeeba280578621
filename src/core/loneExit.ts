import type { Call } from './call.js';
import type { Beside, Exit, Next } from './policy.js';

/** One call through one early policy: its way out and its end in one. */
export class LoneExit implements Exit {
  readonly call: Call;
  readonly nested: boolean;
  private own: unknown = undefined;
  private left = false;

  constructor(
    private readonly level: Beside,
    private readonly inner: Next,
    private readonly outer: Call,
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.call = outer.fork();
    this.nested = outer.nested;
  }

  /** What `open` throws rejects: this runs inside `new Promise`. */
  run(): void {
    this.own = this.level.open?.(this);
    this.inner(this.call).then(
      (value) => this.succeed(value),
      (error: unknown) => this.fail(error),
    );
  }

  leave(error: unknown): void {
    this.call.abort(error);
    this.left = true;
    this.reject(error);
  }

  private succeed(value: unknown): void {
    if (this.left) return;
    let other: Promise<unknown> | undefined;
    try {
      other = this.level.success?.(value, this.own, this.outer, this.inner);
    } catch (error) {
      this.reject(error);
      return;
    }
    if (other !== undefined) return this.follow(other);
    this.call.release();
    this.resolve(value);
  }

  private fail(error: unknown): void {
    if (this.left) return;
    let other: Promise<unknown> | undefined;
    try {
      other = this.level.failure?.(error, this.own, this.outer, this.inner);
    } catch (thrown) {
      this.reject(thrown);
      return;
    }
    if (other !== undefined) return this.follow(other);
    this.call.release();
    this.reject(error);
  }

  /** Not by `resolve(recovery)`, after which `leave` could no longer end the call. */
  private follow(recovery: Promise<unknown>): void {
    recovery.then(
      (value) => {
        this.call.release();
        this.resolve(value);
      },
      (error: unknown) => {
        this.call.release();
        this.reject(error);
      },
    );
  }
}
