/**
 * Every error of Premier. `code` is the contract: it survives bundling and two copies of the package, and `instanceof` does too
 * (a brand answers it, not the class object).
 */

const brand = (code: string): symbol => Symbol.for(`premier.error.${code}`);

/** The `PREMIER_…` codes, one for each class below. */
export type PremierErrorCode =
  | 'PREMIER_ERROR'
  | 'PREMIER_REJECTED'
  | 'PREMIER_QUOTA_EXCEEDED'
  | 'PREMIER_CIRCUIT_OPEN'
  | 'PREMIER_BULKHEAD_FULL'
  | 'PREMIER_TIMEOUT'
  | 'PREMIER_STORE_UNAVAILABLE'
  | 'PREMIER_KEY'
  | 'PREMIER_OPTIONS';

interface Branded {
  readonly prototype: object;
  readonly code: PremierErrorCode;
}

/** The root of all errors that Premier throws. */
export class PremierError extends Error {
  /** The code of the class, read by `instanceof` across copies of the package. */
  static readonly code: PremierErrorCode = 'PREMIER_ERROR';

  /** What went wrong, for programs: stable across versions. */
  readonly code: PremierErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    const own = new.target as unknown as Branded;
    this.code = own.code;
  }

  override get name(): string {
    return 'PremierError';
  }

  /** The HTTP status that fits: Express, Koa, Fastify and NestJS answer with it by themselves. */
  get statusCode(): number {
    return 500;
  }

  /** The same as `statusCode`, under the name that Express and Koa read. */
  get status(): number {
    return this.statusCode;
  }

  /** Whether the message may be shown to a client. */
  get expose(): boolean {
    return this.statusCode === 429 || this.statusCode > 500;
  }

  /** True for every error whose class carries this class's code, also one from another copy of the package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (!Object.hasOwn(this, 'code')) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && brand(this.code) in value;
  }
}

function branded(errorClass: Branded): void {
  Object.defineProperty(errorClass.prototype, brand(errorClass.code), { value: true });
}
branded(PremierError);

/** Builds an error without walking the stack, unless `RejectedError.stackTraceLimit` asks for frames. */
function withoutStack<E>(make: () => E): E {
  const usual = Error.stackTraceLimit;
  Error.stackTraceLimit = RejectedError.stackTraceLimit;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = usual;
  }
}

/** A refusal: the function never ran. It says when to come back. */
export class RejectedError extends PremierError {
  static override readonly code: PremierErrorCode = 'PREMIER_REJECTED';

  /**
   * How many stack frames a refusal captures. A refusal is part of normal work and a stack costs more than the rest of it.
   * @default 0
   */
  static override stackTraceLimit = 0;

  /** Seconds until the same call can be admitted; `Infinity` when it never can. */
  readonly retryAfter: number;

  constructor(message: string, retryAfter: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfter = retryAfter;
  }

  override get name(): string {
    return 'RejectedError';
  }

  override get statusCode(): number {
    return 503;
  }

  /** `Retry-After` in whole seconds, rounded up, never 0; nothing when coming back is no use. */
  get headers(): Record<string, string> {
    return Number.isFinite(this.retryAfter) ? { 'retry-after': String(Math.max(1, Math.ceil(this.retryAfter))) } : {};
  }
}
branded(RejectedError);

/** A limiter refused the call: the quota of its window is used up. */
export class QuotaExceedsError extends RejectedError {
  static override readonly code: PremierErrorCode = 'PREMIER_QUOTA_EXCEEDED';

  /** Calls allowed per `duration`. */
  readonly quota: number;
  /** The span of the quota, in seconds. */
  readonly duration: number;
  /** The limiter's key for this caller. */
  readonly key: string;

  constructor(name: string, quota: number, duration: number, retryAfter: number, key: string) {
    const wait = Number.isFinite(retryAfter) ? `retry after ${retryAfter} s` : 'this cost can never be admitted';
    super(`${name}: the quota of ${quota} per ${duration} s is used up; ${wait}`, retryAfter);
    this.quota = quota;
    this.duration = duration;
    this.key = key;
  }

  override get name(): string {
    return 'QuotaExceedsError';
  }

  /** The same as `retryAfter`. */
  get timeRemains(): number {
    return this.retryAfter;
  }

  override get statusCode(): number {
    return 429;
  }
}
branded(QuotaExceedsError);

/** The circuit breaker is open: the function is resting. */
export class CircuitBreakerOpenError extends RejectedError {
  static override readonly code: PremierErrorCode = 'PREMIER_CIRCUIT_OPEN';

  constructor(name: string, retryAfter: number) {
    // Without the number, which would take longer to write than all the rest of the error.
    super(`${name}: the circuit is open`, retryAfter);
  }

  override get name(): string {
    return 'CircuitBreakerOpenError';
  }
}
branded(CircuitBreakerOpenError);

/** The bulkhead's places and its queue are taken, or the wait in the queue was too long. */
export class BulkheadFullError extends RejectedError {
  static override readonly code: PremierErrorCode = 'PREMIER_BULKHEAD_FULL';

  constructor(name: string, maxConcurrent: number, maxQueue: number, retryAfter: number) {
    super(`${name}: all ${maxConcurrent} places and ${maxQueue} queue places of the bulkhead are taken`, retryAfter);
  }

  override get name(): string {
    return 'BulkheadFullError';
  }
}
branded(BulkheadFullError);

/** The call took longer than its `timeout`. It may have run: this is not a refusal. */
export class TimeoutError extends PremierError {
  static override readonly code: PremierErrorCode = 'PREMIER_TIMEOUT';

  /** The limit that passed, in seconds. */
  readonly seconds: number;
  /** The name of the function that took too long. */
  readonly functionName: string;

  constructor(functionName: string, seconds: number) {
    super(`${functionName} took longer than ${seconds} s`);
    this.seconds = seconds;
    this.functionName = functionName;
  }

  override get name(): string {
    return 'TimeoutError';
  }

  override get statusCode(): number {
    return 504;
  }
}
branded(TimeoutError);

/** The provider did not answer, or refused to. Never looks like a limit. */
export class StoreUnavailableError extends PremierError {
  static override readonly code: PremierErrorCode = 'PREMIER_STORE_UNAVAILABLE';

  /** Whether the store is out of order, which `storeDown` told; otherwise it refused this one request, for want of rights, say. */
  readonly down: boolean;

  constructor(message: string, { down = true, ...options }: ErrorOptions & { readonly down?: boolean } = {}) {
    super(message, options);
    this.down = down;
  }

  override get name(): string {
    return 'StoreUnavailableError';
  }

  override get statusCode(): number {
    return 503;
  }
}
branded(StoreUnavailableError);

/** A cache or limiter key cannot be made of what was given; `path` says which part of it (`args[1].user.conn`). */
export class KeyError extends PremierError {
  static override readonly code: PremierErrorCode = 'PREMIER_KEY';

  /** Where in the arguments the part stands that has no key. */
  readonly path: string;

  constructor(message: string, path: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }

  override get name(): string {
    return 'KeyError';
  }
}
branded(KeyError);

/** An option is wrong in type, range, spelling or unit, or a policy stands where it cannot work. */
export class OptionsError extends PremierError {
  static override readonly code: PremierErrorCode = 'PREMIER_OPTIONS';

  override get name(): string {
    return 'OptionsError';
  }
}
branded(OptionsError);

/** A `QuotaExceedsError` without a stack. Durations and waits in milliseconds. */
export const quotaExceeds = (name: string, quota: number, durationMs: number, retryAfterMs: number, key: string): QuotaExceedsError =>
  withoutStack(() => new QuotaExceedsError(name, quota, durationMs / 1000, retryAfterMs / 1000, key));

/** A `CircuitBreakerOpenError` without a stack. */
export const circuitOpen = (name: string, retryAfterMs: number): CircuitBreakerOpenError =>
  withoutStack(() => new CircuitBreakerOpenError(name, retryAfterMs / 1000));

/** A `BulkheadFullError` without a stack. */
export const bulkheadFull = (name: string, maxConcurrent: number, maxQueue: number, retryAfterMs: number): BulkheadFullError =>
  withoutStack(() => new BulkheadFullError(name, maxConcurrent, maxQueue, retryAfterMs / 1000));

/** A `TimeoutError` without a stack: it is made in a timer, where the stack says nothing. */
export const timedOut = (functionName: string, ms: number): TimeoutError => withoutStack(() => new TimeoutError(functionName, ms / 1000));
