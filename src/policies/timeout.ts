import { Deadline, deadlinesOf } from '../core/deadlines.js';
import type { Duration } from '../core/duration.js';
import { OptionsError, timedOut } from '../core/errors.js';
import { duration, logger, type Logger, required, schema } from '../core/options.js';
import { type Beside, definePolicy, type Exit } from '../core/policy.js';
import { log } from './log.js';

/** Options of `timeout`. */
export interface TimeoutOptions {
  /** How long a call may take. */
  seconds: Duration;
  /**
   * Hears of every call that took too long.
   * @default the Premier's logger
   */
  logger?: Logger;
}

/**
 * Ends a call that takes too long with a `TimeoutError`, and aborts its signal. Deadlines of one length share a list and a timer
 * (`core/deadlines`); the signal is made only when it is read.
 */
export const timeout = definePolicy({
  name: 'timeout',
  options: schema<TimeoutOptions>('timeout')({ seconds: required(duration({ zero: false })), logger: logger() }),
  create({ seconds: ms, logger: own }, { clock, events, logger: common }, { site }): Beside<Deadline<Exit>> {
    if (isSynchronous(site.fn)) {
      throw new OptionsError(
        `timeout: ${site.method} is synchronous, nothing can end it early; decorate a function that returns a promise`,
      );
    }
    const to = own ?? common;
    const deadlines = deadlinesOf(clock, ms);
    const expired = (exit: Exit): void => {
      const error = timedOut(exit.call.name, ms);
      events.emit('timedOut', exit.call, { seconds: ms / 1000 });
      if (to) log(to, error.message);
      exit.leave(error);
    };
    return {
      early: true,
      open(exit) {
        const deadline = deadlines.add(new Deadline(exit, expired));
        // A call that is ended from outside has no deadline any more.
        if (exit.nested) exit.call.onAbort(() => deadlines.remove(deadline));
        return deadline;
      },
      success(_value, deadline) {
        deadlines.remove(deadline);
        return undefined;
      },
      failure(_error, deadline) {
        deadlines.remove(deadline);
        return undefined;
      },
    };
  },
});

/** What can be known without a call: generators and classes never return a promise. */
function isSynchronous(fn: { readonly constructor: { readonly name: string } }): boolean {
  return fn.constructor.name === 'GeneratorFunction' || fn.toString().startsWith('class ');
}
