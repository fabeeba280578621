import { breakerClosed, breakerOpen } from './breaker.mjs';
import { cacheMiss, cacheObject, cacheString } from './cache.mjs';
import { limiters } from './limiter.mjs';
import { retry } from './retry.mjs';
import { stackBulkhead, stackLimiter, stackThree, stackTimeit } from './stack.mjs';
import { timeit } from './timeit.mjs';
import { timeoutBusy, timeoutIdle } from './timeout.mjs';

/** Every operation, in the order of the report. */
export const operations = [
  timeit,
  retry,
  timeoutBusy,
  timeoutIdle,
  breakerClosed,
  breakerOpen,
  stackThree,
  stackTimeit,
  stackBulkhead,
  stackLimiter,
  cacheString,
  cacheObject,
  cacheMiss,
  ...limiters,
];

export function operationNamed(name) {
  const found = operations.find((operation) => operation.name === name);
  if (!found) throw new Error(`there is no operation ${name}`);
  return found;
}
