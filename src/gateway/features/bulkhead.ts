import { bulkhead as policy } from '../../policies/bulkhead.js';
import type { Behaviour } from '../../core/policy.js';
import type { Features } from '../config/featureSchemas.js';
import type { Feature } from '../feature.js';

/** Lets only so many requests wait for the upstream at once. */
export const bulkhead: Feature<NonNullable<Features['bulkhead']>> = {
  name: 'bulkhead',
  upgrades: true,
  create: ({ max_concurrent, max_queue, max_wait }, { runtime, place }) => [
    policy.create(
      policy.options.parse({ maxConcurrent: max_concurrent, maxQueue: max_queue, maxWaitS: max_wait / 1000 }),
      runtime,
      place,
    ) as Behaviour,
  ],
};
