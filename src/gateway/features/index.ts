import type { FeatureName, Features } from '../config/featureSchemas.js';
import type { Feature } from '../feature.js';
import { access } from './access.js';
import { bodyLimit } from './bodyLimit.js';
import { bulkhead } from './bulkhead.js';
import { cache } from './cache.js';
import { circuitBreaker } from './circuitBreaker.js';
import { cors } from './cors.js';
import { fallback } from './fallback.js';
import { headers } from './headers.js';
import { hedge } from './hedge.js';
import { mirror } from './mirror.js';
import { rateLimit, rateLimitMisses } from './rateLimit.js';
import { retry } from './retry.js';
import { perTry, timeout } from './timeout.js';
import { websocket } from './websocket.js';

/** Whether a feature has to see the answer: an app then gets a response that the gateway reads. */
type Sees = 'answer' | 'request';

type Stage = { [K in FeatureName]: readonly [K, Feature<NonNullable<Features[K]>>, Sees] }[FeatureName];

/**
 * The pipeline, outermost first: the one list that says the order, for the code, `premier explain` and the docs. A feature that stands twice
 * does its work in one place or the other, as its options say.
 */
export const stages: readonly Stage[] = [
  ['cors', cors, 'answer'],
  ['headers', headers, 'answer'],
  ['access', access, 'request'],
  ['websocket', websocket, 'request'],
  ['rate_limit', rateLimit, 'request'],
  ['body_limit', bodyLimit, 'answer'],
  ['fallback', fallback, 'answer'],
  ['cache', cache, 'answer'],
  ['rate_limit', rateLimitMisses, 'request'],
  ['mirror', mirror, 'request'],
  ['timeout', timeout, 'answer'],
  ['retry', retry, 'answer'],
  ['hedge', hedge, 'answer'],
  ['circuit_breaker', circuitBreaker, 'answer'],
  ['bulkhead', bulkhead, 'answer'],
  ['timeout', perTry, 'answer'],
];

/** The names of the features in the order of the pipeline, with the places of those that come in a later version. */
export const featureOrder: readonly FeatureName[] = order();

function order(): FeatureName[] {
  const names = [...new Set(stages.map(([name]) => name))];
  names.splice(names.indexOf('access') + 1, 0, 'auth');
  names.splice(names.indexOf('timeout'), 0, 'transform');
  return [...names, 'monitoring'];
}
