import { type CustomDecorator, SetMetadata } from '@nestjs/common';
import { planOf, type RateLimitOptions } from './requestLimit.js';

/** Where `@RateLimit` leaves its plan, and `@SkipRateLimit` leaves `false`. */
export const rateLimitKey = 'premier:rateLimit';

/** Limits a handler, or all handlers of a class together. What a handler says wins over what its class says. */
export function RateLimit(options: RateLimitOptions): CustomDecorator {
  return SetMetadata(rateLimitKey, planOf(options));
}

/** Takes a handler, or a whole class, out of the limits of its class and of the module. */
export function SkipRateLimit(): CustomDecorator {
  return SetMetadata(rateLimitKey, false);
}
