import type { Behaviour } from '../../core/policy.js';
import { OptionsError, QuotaExceedsError } from '../../core/errors.js';
import type { Exchange } from '../../http/exchange.js';
import { Problem } from '../../http/problem.js';
import { limitRule } from '../../policies/limit.js';
import { type KeyedRule, Limiter } from '../../policies/limiter.js';
import type { Features } from '../config/featureSchemas.js';
import { exchangeOf, type Feature, type FeatureContext } from '../feature.js';
import { compileKey } from '../template.js';
import { limitHeaders } from './limitHeaders.js';

type Options = NonNullable<Features['rate_limit']>;
type Numbers = NonNullable<Options['limits']>[number];

/** How many requests a caller may make; a hit in the cache counts. */
export const rateLimit: Feature<Options> = {
  name: 'rate_limit',
  upgrades: true,
  create: (options, context) => (options.count_cache_hits ? limiters(options, context) : []),
};

/** The same inside the cache: only what goes on to the upstream counts. */
export const rateLimitMisses: Feature<Options> = {
  name: 'rate_limit',
  upgrades: true,
  create: (options, context) => (options.count_cache_hits ? [] : limiters(options, context)),
};

function limiters(options: Options, context: FeatureContext): readonly Behaviour[] {
  const make = (numbers: readonly Numbers[], tier: string): Limiter => limiter(numbers, options, context, tier);
  const usual = make(options.limits ?? [numbersOf(options)], '');
  const tiers = new Map(Object.entries(options.tiers ?? {}).map(([tier, numbers]) => [tier, make([numbers], tier)]));
  const refuse = (error: unknown): never => {
    throw refusal(error, options);
  };
  return [
    {
      run(call, next) {
        const tier = exchangeOf(call).consumer?.tier;
        const chosen = tier === undefined ? usual : (tiers.get(tier) ?? usual);
        return chosen.run(call, next).catch(refuse);
      },
    },
  ];
}

function numbersOf({ quota, duration, algorithm, bucket_size, burst }: Options): Numbers {
  if (quota === undefined || duration === undefined) throw new OptionsError('rate_limit: it needs `quota` and `duration`, or `limits`');
  return { quota, duration, algorithm, bucket_size, burst };
}

function limiter(all: readonly Numbers[], options: Options, { runtime, place, pattern }: FeatureContext, tier: string): Limiter {
  const rules = all.map(({ algorithm, quota, duration, burst, bucket_size, key }): KeyedRule => {
    const keyOf = compileKey(key ?? options.key, pattern);
    return {
      ...limitRule('rate_limit', algorithm, { quota, duration, burst, bucketSize: bucket_size }),
      keymaker: (exchange) => keyOf(exchange as Exchange),
    };
  });
  // The numbers are part of the name: a reload that changes them begins to count anew, one that does not goes on.
  const numbers = rules.map(({ quota, duration, capacity }) => `${quota}/${capacity} per ${duration}`).join(', ');
  const headers = limitHeaders(rules, options.limits !== undefined && tier === '', runtime.clock);
  return new Limiter(
    'rate_limit',
    {
      rules,
      name: `${place.site.method} ${tier} ${numbers}`,
      cost: 1,
      wait: false,
      maxWait: 0,
      told: (call, ruling) => headers(exchangeOf(call), ruling),
    },
    runtime,
    place,
  );
}

function refusal(error: unknown, { error_status, error_message }: Options): unknown {
  if (!(error instanceof QuotaExceedsError)) return error;
  return new Problem('rate_limited', {
    status: error_status,
    message: error_message,
    headers: Object.entries(error.headers).flat(),
    cause: error,
  });
}
