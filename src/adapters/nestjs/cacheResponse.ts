import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import { refuseReaders } from './cacheable.js';
import { cachePlanOf, type CacheResponseOptions } from './cachePlan.js';
import { cacheResponseKey, PremierCacheInterceptor } from './premierCacheInterceptor.js';

/** Keeps what a handler returns, or each handler of a class; requests for the same that come together run it once. */
export function CacheResponse(options: CacheResponseOptions): MethodDecorator & ClassDecorator {
  const plan = cachePlanOf(options);
  const decorate = applyDecorators(SetMetadata(cacheResponseKey, plan), UseInterceptors(PremierCacheInterceptor));
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    if (!plan.knowsWhom) refuseReaders(target, key);
    return (decorate as (...given: unknown[]) => void)(target, key, descriptor);
  };
}
