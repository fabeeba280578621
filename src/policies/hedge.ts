import { after } from '../core/clock.js';
import type { Call } from '../core/call.js';
import type { Duration } from '../core/duration.js';
import { type Around, definePolicy, type Next } from '../core/policy.js';
import { duration, integer, required, schema, withDefault } from '../core/options.js';

/** Options of `hedge`. */
export interface HedgeOptions {
  /** How long an attempt may be silent before another one starts beside it. */
  after: Duration;
  /**
   * Attempts in all, the first one included.
   * @default 2
   */
  maxAttempts?: number;
}

/**
 * Starts another attempt beside one that is slow, or has failed (Dean and Barroso, "The Tail at Scale", 2013). The first good answer
 * wins and the others' signals abort; if all fail, the first attempt's error is thrown. Only for calls that may run twice.
 */
export const hedge = definePolicy({
  name: 'hedge',
  options: schema<HedgeOptions>('hedge')({ after: required(duration()), maxAttempts: withDefault(integer(2, 100), 2) }),
  create({ after: silence, maxAttempts }, { clock, events }): Around {
    return {
      run: (call: Call, next: Next) =>
        new Promise((resolve, reject) => {
          const attempts: Call[] = [];
          const errors: unknown[] = [];
          let failed = 0;
          let over = false;
          let timer: { clear(): void } | undefined;
          const finish = (settle: () => void): void => {
            over = true;
            timer?.clear();
            forget();
            settle();
          };
          const start = (): void => {
            const index = attempts.length;
            const attempt = call.fork();
            attempts.push(attempt);
            if (index > 0) events.emit('hedged', call, { attempt: index + 1 });
            timer?.clear();
            timer = attempts.length < maxAttempts ? after(clock, silence, start) : undefined;
            next(attempt).then(
              (value) => {
                if (over) return;
                finish(() => resolve(value));
                for (const other of attempts) if (other !== attempt) other.abort(lost());
              },
              (error: unknown) => {
                if (over) return;
                errors[index] = error;
                failed++;
                if (attempts.length < maxAttempts && !call.aborted && !attempt.aborted) start();
                else if (failed === attempts.length) finish(() => reject(errors[0]));
              },
            );
          };
          const forget = call.onAbort(() => timer?.clear());
          start();
        }),
    };
  },
});

const lost = (): DOMException => new DOMException('another attempt answered first', 'AbortError');
