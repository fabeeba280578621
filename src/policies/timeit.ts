import type { Call } from '../core/call.js';
import type { Duration } from '../core/duration.js';
import { duration, flag, integer, logger, type Logger, schema, withDefault } from '../core/options.js';
import { type Beside, definePolicy } from '../core/policy.js';
import { log } from './log.js';

/** Options of `timeit`. */
export interface TimeitOptions {
  /**
   * Where the lines go.
   * @default the Premier's logger, or the console
   */
  logger?: Logger;
  /**
   * Digits after the point, of seconds.
   * @default 2
   */
  precision?: number;
  /**
   * Calls shorter than this are not logged.
   * @default 0.1
   */
  logThreshold?: Duration;
  /**
   * Whether the arguments are in the line.
   * @default false
   */
  withArgs?: boolean;
}

/** Logs how long calls take, failing ones too. The only policy that keeps a synchronous function synchronous. */
export const timeit = definePolicy({
  name: 'timeit',
  options: schema<TimeitOptions>('timeit')({
    logger: logger(),
    precision: withDefault(integer(0, 9), 2),
    logThreshold: withDefault(duration(), 100),
    withArgs: flag(false),
  }),
  create({ logger: own, precision, logThreshold, withArgs }, { clock, events, logger: common }): Beside<number> {
    const to = own ?? common ?? console;
    const report = (call: Call, ms: number, failed: boolean): void => {
      const seconds = ms / 1000;
      const args = withArgs ? `(${call.args.map(shown).join(', ')})` : '';
      log(to, `${call.name}${args} ${failed ? 'failed after' : 'took'} ${seconds.toFixed(precision)} s`);
      events.emit('timed', call, { seconds, failed });
    };
    return {
      sync: true,
      enter: () => clock.monotonic(),
      success(_value, started, call) {
        const ms = clock.monotonic() - started;
        if (ms >= logThreshold) report(call, ms, false);
        return undefined;
      },
      failure(_error, started, call) {
        const ms = clock.monotonic() - started;
        if (ms >= logThreshold) report(call, ms, true);
        return undefined;
      },
    };
  },
});

function shown(arg: unknown): string {
  try {
    return JSON.stringify(arg) ?? String(arg);
  } catch {
    return Object.prototype.toString.call(arg);
  }
}
