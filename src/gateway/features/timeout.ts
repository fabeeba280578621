import { TimeoutError } from '../../core/errors.js';
import type { Behaviour } from '../../core/policy.js';
import { Problem } from '../../http/problem.js';
import { isSlowUpload } from '../../http/slowUpload.js';
import { timeout as policy } from '../../policies/timeout.js';
import type { Features } from '../config/featureSchemas.js';
import { exchangeOf, type Feature } from '../feature.js';

type Options = NonNullable<Features['timeout']>;

/** How long the head of an answer may take, retries included. After it, `exchange.idle` bounds each silence of the body. */
export const timeout: Feature<Options> = {
  name: 'timeout',
  upgrades: true,
  create({ seconds, error_status, error_message }, { runtime, place }) {
    const told: Behaviour = {
      enter(call) {
        exchangeOf(call).idle = seconds;
        return undefined;
      },
      failure(error) {
        if (!(error instanceof TimeoutError)) return undefined;
        if (isSlowUpload(error)) throw new Problem('request_timeout', { headers: ['connection', 'close'], cause: error });
        throw new Problem('gateway_timeout', { status: error_status, message: error_message, cause: error });
      },
    };
    return [told, policy.create(policy.options.parse({ seconds: seconds / 1000 }), runtime, place) as Behaviour];
  },
};

/** How long one attempt may take: inside retry and circuit breaker. */
export const perTry: Feature<Options> = {
  name: 'timeout',
  upgrades: true,
  create: ({ per_try }, { runtime, place }) =>
    per_try === undefined ? [] : [policy.create(policy.options.parse({ seconds: per_try / 1000 }), runtime, place) as Behaviour],
};
