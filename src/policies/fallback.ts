import type { AnyArgs } from '../core/decorate.js';
import { selector } from '../core/failures.js';
import { fn, schema, value } from '../core/options.js';
import { type Beside, definePolicy } from '../core/policy.js';

/** What a fallback answers: a value, or a function of the error and the call's arguments (and its `this`). */
export type Fallback<R, A extends readonly unknown[] = AnyArgs> = R | ((error: unknown, ...args: A) => R | Promise<R>);

/** Options of `fallback`. */
export interface FallbackOptions {
  /** What to answer instead of an error. */
  value: unknown;
  /**
   * Which errors.
   * @default all
   */
  handle?: (error: unknown) => boolean;
}

/** Answers in place of an error. */
export const fallback = definePolicy({
  name: 'fallback',
  options: schema<FallbackOptions>('fallback')({
    value: value<unknown>('a value or a function', () => true),
    handle: fn<(error: unknown) => boolean>(),
  }),
  create({ value: answer, handle }, { events }, { site }): Beside {
    const handled = handle
      ? selector({ classes: undefined, handle }, (error) =>
          events.emit('callbackFailed', { name: site.method }, { callback: 'handle', error }),
        )
      : () => true;
    return {
      failure(error, _state, call) {
        if (!handled(error)) return undefined;
        events.emit('fellBack', call, { error });
        if (typeof answer !== 'function') return Promise.resolve(answer);
        return new Promise((resolve) => resolve(answer.call(call.self, error, ...call.args)));
      },
    };
  },
});
