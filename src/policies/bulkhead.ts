import type { Call } from '../core/call.js';
import { after } from '../core/clock.js';
import type { Duration } from '../core/duration.js';
import { bulkheadFull } from '../core/errors.js';
import { duration, flag, integer, schema, withDefault } from '../core/options.js';
import { type Around, definePolicy, type Next } from '../core/policy.js';
import { rejected } from '../core/rejected.js';
import { AdaptiveLimit } from './adaptiveLimit.js';

/** Options of `bulkhead`. */
export interface BulkheadOptions {
  /** Calls that may run at once. Required, unless `adaptive`: then it is the highest limit, 200 if left out. */
  maxConcurrent?: number;
  /**
   * Calls that may wait for a place, first come first served.
   * @default 0
   */
  maxQueue?: number;
  /** How long a call waits for a place before it is refused. As long as it takes by default. */
  maxWaitS?: Duration;
  /**
   * Finds the limit itself, between 1 and `maxConcurrent`: one place more while calls are quick, a tenth fewer when they slow down or
   * fail (additive increase, multiplicative decrease; Chiu and Jain, 1989).
   * @default false
   */
  adaptive?: boolean;
}

/** A call that waits for a place. */
interface Waiter {
  readonly admit: () => void;
}

/** Lets only so many calls run at once; places are handed over directly, so that no newcomer overtakes the queue. Per process. */
export const bulkhead = definePolicy({
  name: 'bulkhead',
  options: schema<BulkheadOptions>('bulkhead')(
    { maxConcurrent: integer(1), maxQueue: withDefault(integer(0), 0), maxWaitS: duration(), adaptive: flag(false) },
    ({ maxConcurrent, adaptive }) =>
      maxConcurrent === undefined && !adaptive ? 'option "maxConcurrent" is missing; it must be a whole number of at least 1' : undefined,
  ),
  create({ maxConcurrent, maxQueue, maxWaitS, adaptive }, { clock, events }, { site }): Around {
    const limit = adaptive ? new AdaptiveLimit(maxConcurrent ?? 200) : { current: maxConcurrent ?? 0 };
    const queue = new Set<Waiter>();
    let running = 0;

    const refuse = (call: Call): Error => {
      events.emit('bulkheadRejected', call, { maxConcurrent: limit.current, maxQueue });
      return bulkheadFull(call.name, limit.current, maxQueue, 1000);
    };
    const leave = (): void => {
      running--;
      for (const waiter of queue) {
        if (running >= limit.current) return;
        queue.delete(waiter);
        running++;
        waiter.admit();
      }
    };
    const learn = (started: number, failed: boolean): void => {
      if (limit instanceof AdaptiveLimit && limit.sample(clock.monotonic() - started, failed, running)) {
        events.emit('bulkheadAdapted', { name: site.method }, { limit: limit.current });
      }
    };
    /** Runs in a place that was taken, and gives it back exactly once. */
    const occupy = (call: Call, next: Next): Promise<unknown> => {
      const started = adaptive ? clock.monotonic() : 0;
      return next(call).then(
        (value) => {
          learn(started, false);
          leave();
          return value;
        },
        (error: unknown) => {
          learn(started, true);
          leave();
          throw error;
        },
      );
    };
    const enqueue = (call: Call, next: Next): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const waiter: Waiter = {
          admit: () => {
            timer?.clear();
            forget();
            resolve(occupy(call, next));
          },
        };
        const giveUp = (error: unknown): void => {
          queue.delete(waiter);
          timer?.clear();
          reject(error);
        };
        const timer =
          maxWaitS === undefined
            ? undefined
            : after(clock, maxWaitS, () => {
                forget();
                giveUp(refuse(call));
              });
        queue.add(waiter);
        const forget = call.onAbort(giveUp);
      });

    return {
      run(call, next) {
        if (running < limit.current && queue.size === 0) {
          running++;
          return occupy(call, next);
        }
        return queue.size < maxQueue ? enqueue(call, next) : rejected(refuse(call));
      },
    };
  },
});
