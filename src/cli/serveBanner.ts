import type { ServePlan } from './servePlan.js';
import { sampleTrials } from './serveSample.js';

/** What there is to say about a gateway that has started. */
export interface Started {
  readonly url: string;
  /** Whether counters and cached answers lie in Redis. */
  readonly redis: boolean;
  /** Whether it is the sample. */
  readonly sample: boolean;
  /** Where the own paths are; `undefined` for nowhere. */
  readonly own: string | undefined;
  /** The token that was made up because the configuration names none. */
  readonly adminToken: string | undefined;
}

/** What a person reads when the gateway has started: where it is, what is shared, what to try. */
export function banner(plan: ServePlan, started: Started): string {
  const { url, sample, own, adminToken } = started;
  const what = sample ? 'a sample configuration in front of a sample upstream' : (plan.file ?? 'the configuration of the environment');
  const lines = [`The gateway listens on ${url}, with ${what}.`, whereStateLies(plan, started)];
  if (own !== undefined) lines.push(`Its own paths: ${own}/health, ${own}/metrics, ${own}/circuit-breakers`);
  if (adminToken !== undefined && own !== undefined) lines.push(`Admin token, for this run and from this machine: ${adminToken}`);
  if (sample) lines.push('', sampleTrials(url));
  return lines.join('\n');
}

function whereStateLies({ workers }: ServePlan, { redis }: Started): string {
  if (workers === 1)
    return redis
      ? 'Limits are counted and answers are cached in Redis.'
      : 'Limits are counted and answers are cached in the memory of this process; set store.redis to share them between machines.';
  if (redis) return `${workers} workers; limits are counted and answers are cached in Redis.`;
  return `${workers} workers; limits are counted by the primary process, answers are cached by each worker; set store.redis to share them between machines.`;
}
