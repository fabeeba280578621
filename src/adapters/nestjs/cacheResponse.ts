import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import { cachePlanOf, type CacheResponseOptions } from './cachePlan.js';
import { cacheResponseKey, PremierCacheInterceptor } from './premierCacheInterceptor.js';

/** Keeps what a handler returns, or each handler of a class; requests for the same that come together run it once. */
export function CacheResponse(options: CacheResponseOptions): MethodDecorator & ClassDecorator {
  return applyDecorators(SetMetadata(cacheResponseKey, cachePlanOf(options)), UseInterceptors(PremierCacheInterceptor));
}
