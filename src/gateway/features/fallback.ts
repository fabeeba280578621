import { RejectedError } from '../../core/errors.js';
import { fallback as policy } from '../../policies/fallback.js';
import type { Behaviour } from '../../core/policy.js';
import type { Features } from '../config/featureSchemas.js';
import type { Feature } from '../feature.js';
import { isFailure } from './failures.js';
import { fixedAnswer } from './fixedAnswer.js';

/** Answers when all else failed: with a 5xx, a timeout, an open circuit or a full bulkhead. Limits of the caller stay what they are. */
export const fallback: Feature<NonNullable<Features['fallback']>> = {
  name: 'fallback',
  upgrades: false,
  create: (options, { runtime, place }) => [
    policy.create({ value: () => fixedAnswer(options), handle: isHopeless }, runtime, place) as Behaviour,
  ],
};

function isHopeless(error: unknown): boolean {
  return isFailure(error) || (error instanceof RejectedError && error.statusCode === 503);
}
