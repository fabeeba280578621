import type { AnyArgs, AnyFn, Anything, AsyncFn, Decorator } from './core/decorate.js';
import type { Duration } from './core/duration.js';
import type * as policies from './policies/index.js';
import { Premier } from './premier.js';

/** The policies that keep nothing in a provider, without a Premier of one's own. */
let shared: Premier | undefined;
const common = (): Premier => (shared ??= new Premier());

/** Tries again, with growing waits. */
export function retry<A extends AnyArgs = AnyArgs, R = Anything>(options: policies.RetryOptions<A, R> = {}): Decorator<AsyncFn, A> {
  return common().retry(options);
}

/** Ends a call that takes too long, and aborts its signal. */
export function timeout(seconds: Duration | policies.TimeoutOptions, options: Omit<policies.TimeoutOptions, 'seconds'> = {}): Decorator {
  return common().timeout(seconds, options);
}

/** Logs how long calls take. Keeps a synchronous function synchronous. */
export function timeit(options: policies.TimeitOptions = {}): Decorator<AnyFn> {
  return common().timeit(options);
}

/** Answers in place of an error. */
export function fallback<R, A extends AnyArgs = AnyArgs>(
  answer: policies.Fallback<R, A>,
  options: Omit<policies.FallbackOptions, 'value'> = {},
): Decorator<AsyncFn, A, R> {
  return common().fallback(answer, options);
}

/** Starts another attempt beside one that is slow; the first good answer wins. */
export function hedge(options: policies.HedgeOptions): Decorator {
  return common().hedge(options);
}

/** Lets only so many calls run at once. */
export function bulkhead(options: policies.BulkheadOptions): Decorator {
  return common().bulkhead(options);
}
