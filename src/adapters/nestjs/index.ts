/** Premier for NestJS: a module, limits and caches for handlers, answers for errors, a health indicator. */
export { PremierModule } from './premierModule.js';
export type { PremierModuleExtras, PremierModuleOptions, PremierRootAsyncOptions, PremierRootOptions } from './moduleOptions.js';
export { RateLimit, SkipRateLimit } from './rateLimit.js';
export type { RateLimitKey, RateLimitOptions, RateLimitRule } from './requestLimit.js';
export { PremierGuard } from './premierGuard.js';
export { CacheResponse } from './cacheResponse.js';
export type { CacheResponseOptions } from './cachePlan.js';
export { PremierCacheInterceptor } from './premierCacheInterceptor.js';
export { PremierFilter } from './premierFilter.js';
export { PremierRpcFilter } from './premierRpcFilter.js';
export { PremierWsFilter } from './premierWsFilter.js';
export type { PublicError } from './publicError.js';
export { type PremierHealth, PremierHealthIndicator, type PremierHealthOptions } from './premierHealthIndicator.js';
