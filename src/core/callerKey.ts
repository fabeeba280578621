import { apply } from './apply.js';
import type { Call } from './call.js';
import { encodeArgs, encodeText } from './encode.js';
import { KeyError } from './errors.js';

/** A function of a call's arguments and `this` that says whose call it is, its arguments' types forgotten. */
export type KeyMaker = (...args: unknown[]) => string;

/**
 * What a `keymaker` or a `key` says. Throws `KeyError`, with the cause, when the function throws; and when it names nobody, because
 * everybody without a name would share one key.
 */
export function callerKey(keymaker: KeyMaker, call: Call, option: string): string {
  let key: unknown;
  try {
    key = apply(keymaker, call.self, call.args);
  } catch (cause) {
    throw new KeyError(`${call.name}: the ${option} function threw: ${String(cause)}`, `${option}()`, { cause });
  }
  if (typeof key === 'string') return encodeText(key);
  if (key === undefined || key === null) {
    throw new KeyError(`${call.name}: the ${option} function returned ${String(key)}; return a text for every caller`, `${option}()`);
  }
  return encodeArgs([key]);
}
