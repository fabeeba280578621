import type { Behaviour, Place, Runtime } from '../../core/policy.js';
import { circuitBreaker as policy } from '../../policies/circuitBreaker.js';
import type { Features } from '../config/featureSchemas.js';
import type { Feature } from '../feature.js';
import { isFailure } from './failures.js';
import { fixedAnswer } from './fixedAnswer.js';

type Options = NonNullable<Features['circuit_breaker']>;

/** Stops asking what fails: one circuit for each path, named by its pattern. */
export const circuitBreaker: Feature<Options> = {
  name: 'circuit_breaker',
  upgrades: true,
  create: (options, { runtime, place }) => breaker(options, runtime, place, place.site.method),
};

/** The policy with the gateway's idea of a failure. A circuit whose rules changed begins anew. */
export function breaker(options: Options, runtime: Runtime, place: Place, name: string): readonly Behaviour[] {
  const rules = JSON.stringify({ ...options, fallback: undefined });
  const known = runtime.registry.all<string>('circuitRules');
  if (known.get(name) !== rules) runtime.registry.all('circuit').delete(name);
  known.set(name, rules);
  const { window, fallback } = options;
  const made = policy.create(
    policy.options.parse({
      ...(window === undefined
        ? { failureThreshold: options.failure_threshold ?? 5 }
        : {
            window: {
              ...(window.seconds === undefined ? {} : { seconds: window.seconds / 1000 }),
              ...(window.calls === undefined ? {} : { calls: window.calls }),
              ...(window.min_calls === undefined ? {} : { minCalls: window.min_calls }),
              ...(window.slow_after === undefined ? {} : { slowAfter: window.slow_after / 1000 }),
              failureRate: window.failure_rate,
              slowRate: window.slow_rate,
            },
          }),
      recoveryTimeout: options.recovery_timeout / 1000,
      successThreshold: options.success_threshold,
      halfOpenMax: options.half_open_max,
      handle: isFailure,
      shared: options.shared,
      name,
      ...(fallback === undefined ? {} : { fallback: () => fixedAnswer(fallback) }),
    }),
    runtime,
    place,
  );
  return made as readonly Behaviour[];
}
