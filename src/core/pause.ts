import type { Call } from './call.js';
import { after, type Clock } from './clock.js';

/** Waits; rejects with the call's reason as soon as the call is aborted. Leaves no timer and no listener. */
export function pause(clock: Clock, ms: number, call: Call): Promise<void> {
  return new Promise((resolve, reject) => {
    if (call.aborted) {
      reject(call.reason);
      return;
    }
    const timer = after(clock, ms, () => {
      forget();
      resolve();
    });
    const forget = call.onAbort((reason) => {
      timer.clear();
      reject(reason);
    });
  });
}
