/** Every policy of the toolkit. A new one gets a line here. */
export { bulkhead, type BulkheadOptions } from './bulkhead.js';
export { cacheEvict, type CacheEvictOptions } from './cacheEvict.js';
export { cacheResult, type CacheResultOptions } from './cacheResult.js';
export { circuitBreaker, type CircuitBreakerOptions, type CircuitWindowOptions } from './circuitBreaker.js';
export { fallback, type Fallback, type FallbackOptions } from './fallback.js';
export { hedge, type HedgeOptions } from './hedge.js';
export { retry, type RetryOptions } from './retry.js';
export {
  fixedWindow,
  leakyBucket,
  type LeakyBucketOptions,
  type LimitOptions,
  type LimiterOptions,
  slidingWindow,
  throttle,
  type ThrottleOptions,
  tokenBucket,
  type TokenBucketOptions,
  type WindowOptions,
} from './throttle.js';
export { timeit, type TimeitOptions } from './timeit.js';
export { timeout, type TimeoutOptions } from './timeout.js';
