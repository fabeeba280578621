import type { AnyArgs } from '../core/decorate.js';
import pRetry, { AbortError } from 'p-retry';
import type { Call, Unsubscribe } from '../core/call.js';
import type { Duration } from '../core/duration.js';
import { guard } from '../core/events.js';
import { selector } from '../core/failures.js';
import {
  duration,
  either,
  type ErrorClass,
  errorClasses,
  fn,
  group,
  integer,
  logger,
  type Logger,
  number,
  schema,
  value,
  withDefault,
} from '../core/options.js';
import { pause } from '../core/pause.js';
import { type Beside, definePolicy, type Exit, type Next } from '../core/policy.js';
import { retryAfterOf, type Wait, waitField, waiting } from './backoff.js';
import { Budget } from './budget.js';
import { log, textOf } from './log.js';

/** Options of `retry`. */
export interface RetryOptions<A extends readonly unknown[] = AnyArgs, R = unknown> {
  /**
   * Attempts in all, the first one included.
   * @default 3
   */
  maxAttempts?: number;
  /**
   * How long to wait between attempts. The last item of a list repeats; a function gets the attempt, from 0, and the error.
   * @default 1
   */
  wait?: Wait;
  /** Only errors of these classes are retried. */
  exceptions?: readonly ErrorClass[];
  /**
   * Only errors for which this is true are retried.
   * @default all but refusals by other policies, wrong options and keys, and `AbortError`s
   */
  handle?: (error: unknown) => boolean;
  /** A result for which this is true is retried like an error; the last one is returned. */
  retryResult?: (result: R) => boolean;
  /** No attempt starts later than this after the first one. */
  maxElapsedS?: Duration;
  /**
   * How many retries there may be for each call, 0.2 for one in five, so that retries cannot multiply an outage; `min` of them are
   * free. When it is used up, the error itself is thrown.
   */
  budget?: number | { ratio?: number; min?: number };
  /** Called with the call's arguments before each wait. */
  onFail?: (...args: A) => unknown;
  /** Ends the call, its wait and its attempts at once. */
  signal?: AbortSignal;
  /**
   * Hears of every attempt that failed.
   * @default the Premier's logger
   */
  logger?: Logger;
}

/** A wait asked for by an error that is longer than this is not waited for. */
const longestRetryAfter = 5 * 60_000;

/** Leaves p-retry's loop: what is thrown then is decided outside. */
const give = (): AbortError => new AbortError('');

/** What the first attempt came to. */
interface Failure {
  readonly error: unknown;
  /** The result that `retryResult` refused. */
  readonly refused?: { readonly result: unknown };
}

interface Started {
  /** When the first attempt began, where `maxElapsedS` needs it. */
  readonly at: number;
  readonly exit: Exit | undefined;
  readonly forget: Unsubscribe | undefined;
}

/** Tries again. The first attempt pays for nothing: p-retry is entered only after a failure. */
export const retry = definePolicy({
  name: 'retry',
  options: schema<RetryOptions>('retry')({
    maxAttempts: withDefault(integer(1), 3),
    wait: withDefault(waitField, 1000),
    exceptions: errorClasses(),
    handle: fn<(error: unknown) => boolean>(),
    retryResult: fn<(result: unknown) => boolean>(),
    maxElapsedS: duration(),
    budget: either(number(0, 1), group({ ratio: withDefault(number(0, 1), 0.2), min: withDefault(integer(0), 3) })),
    onFail: fn<(...args: unknown[]) => unknown>(),
    signal: value<AbortSignal>('an AbortSignal', (given) => given instanceof AbortSignal),
    logger: logger(),
  }),
  create(options, { clock, random, events, logger: common }, { site }): Beside<Started | undefined> {
    const { maxAttempts, retryResult, maxElapsedS, onFail, signal } = options;
    const failed = (callback: string) => (error: unknown) => events.emit('callbackFailed', { name: site.method }, { callback, error });
    const retryable = selector({ classes: options.exceptions, handle: options.handle }, failed('handle'));
    const waitFor = waiting(options.wait, random, 'retry');
    const budget = options.budget === undefined ? undefined : new Budget(options.budget);
    const to = options.logger ?? common;

    const unwanted = (result: unknown): boolean => {
      try {
        return retryResult?.(result) === true;
      } catch (error) {
        failed('retryResult')(error);
        return false;
      }
    };

    /** All further attempts. */
    const recover = async (first: Failure, started: Started | undefined, call: Call, again: Next): Promise<unknown> => {
      let last = first;
      let attempts = 1;
      let waited = 0;
      const attempt = async (): Promise<unknown> => {
        const asked = retryAfterOf(last.error, clock);
        try {
          waited = Math.max(waitFor(attempts - 1, last.error, waited), asked);
        } catch (error) {
          failed('wait')(error);
          throw give();
        }
        const late = maxElapsedS !== undefined && clock.monotonic() - (started?.at ?? 0) + waited > maxElapsedS;
        if (late || (asked > longestRetryAfter && asked === waited) || budget?.spend() === false) throw give();
        events.emit('retried', call, { attempt: attempts, wait: waited / 1000, error: last.error });
        if (to) log(to, `${call.name}: attempt ${attempts} of ${maxAttempts} failed, next in ${waited / 1000} s: ${textOf(last.error)}`);
        if (onFail) guard(() => onFail.apply(call.self, [...call.args]), failed('onFail'));
        try {
          await pause(clock, waited, call);
        } catch (reason) {
          last = { error: reason };
          throw give();
        }
        attempts++;
        try {
          const result = await again(call);
          if (!unwanted(result)) return result;
          last = { error: undefined, refused: { result } };
        } catch (error) {
          last = { error };
          if (call.aborted || !retryable(error)) throw give();
        }
        throw new Error('another attempt');
      };
      try {
        return await pRetry(attempt, { retries: maxAttempts - 2, minTimeout: 0 });
      } catch {
        if (last.refused) return last.refused.result;
        if (!call.aborted) events.emit('retriesExhausted', call, { attempts, error: last.error });
        throw last.error;
      } finally {
        started?.forget?.();
      }
    };

    const failure: Beside<Started | undefined>['failure'] = (error, started, call, again) => {
      const own = started?.exit?.call ?? call;
      if (maxAttempts > 1 && !own.aborted && retryable(error)) return recover({ error }, started, own, again);
      started?.forget?.();
      return undefined;
    };
    const success: Beside<Started | undefined>['success'] = (result, started, call, again) => {
      const own = started?.exit?.call ?? call;
      if (retryResult && maxAttempts > 1 && !own.aborted && unwanted(result)) {
        return recover({ error: undefined, refused: { result } }, started, own, again);
      }
      started?.forget?.();
      return undefined;
    };

    const begin = (exit?: Exit): Started => {
      budget?.deposit();
      const at = maxElapsedS === undefined ? 0 : clock.monotonic();
      if (!exit || !signal) return { at, exit, forget: undefined };
      signal.throwIfAborted();
      const abort = (): void => exit.leave(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      const forget = (): void => signal.removeEventListener('abort', abort);
      // A call that is ended from outside never comes back here.
      exit.call.onAbort(forget);
      return { at, exit, forget };
    };
    if (signal) return { early: true, open: begin, failure, success };
    const watching = retryResult ? { failure, success } : { failure };
    return budget || maxElapsedS !== undefined ? { enter: () => begin(), ...watching } : watching;
  },
});
