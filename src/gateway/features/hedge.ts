import type { Around } from '../../core/policy.js';
import { hedge as policy } from '../../policies/hedge.js';
import type { Features } from '../config/featureSchemas.js';
import { exchangeOf, type Feature } from '../feature.js';
import { isRepeatable, isReplayable } from './idempotent.js';

/** Starts another attempt beside a slow one; only for requests that may be sent twice. */
export const hedge: Feature<NonNullable<Features['hedge']>> = {
  name: 'hedge',
  upgrades: false,
  create: ({ after, max_attempts }, { runtime, place }) => {
    const around = policy.create(policy.options.parse({ after: after / 1000, maxAttempts: max_attempts }), runtime, place) as Around;
    return [
      {
        run(call, next) {
          const exchange = exchangeOf(call);
          return isRepeatable(exchange) && isReplayable(exchange) ? around.run(call, next) : next(call);
        },
      },
    ];
  },
};
