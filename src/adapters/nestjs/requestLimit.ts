import type { ExecutionContext } from '@nestjs/common';
import type { AlgorithmName } from '../../algorithms/index.js';
import type { KeyMaker } from '../../core/callerKey.js';
import type { Duration } from '../../core/duration.js';
import { duration, either, fn, group, integer, list, oneOf, schema, text, withDefault } from '../../core/options.js';
import { type Around, definePolicy } from '../../core/policy.js';
import { limitHeaders } from '../../gateway/features/limitHeaders.js';
import { compileKey } from '../../gateway/template.js';
import { limitName, limitRule, openLimit } from '../../policies/limit.js';
import { type KeyedRule, Limiter } from '../../policies/limiter.js';
import type { Visit } from './visit.js';

/**
 * Whose quota it is: `ip`, `consumer` (`request.user`), `header:x-user`, `cookie:sid`, `query:q`, `claim:sub`, `path`, `host`, `method`, a
 * template with `{…}`, a list of them, or a function.
 */
export type RateLimitKey = string | readonly string[] | ((context: ExecutionContext) => string);

/** One limit of `@RateLimit`. */
export interface RateLimitRule {
  /** Calls per `duration`. */
  quota: number;
  /** The span of the quota. */
  duration: Duration;
  /** @default 'fixed_window' */
  algorithm?: AlgorithmName;
  /** What a rested token bucket admits at once. */
  burst?: number;
  /** What a leaky bucket holds. */
  bucketSize?: number;
  key?: RateLimitKey;
}

/** Options of `@RateLimit` and of the module's `rateLimit`: one limit, or several that are spent all or none. */
export interface RateLimitOptions extends Partial<RateLimitRule> {
  /**
   * What a call spends: a whole number, or a function. 0 looks without spending.
   * @default 1
   */
  cost?: number | ((context: ExecutionContext) => number);
  /** The limit's name. Limits with an equal one count together. */
  name?: string;
  limits?: readonly RateLimitRule[];
}

const algorithm = oneOf('fixed_window', 'sliding_window', 'token_bucket', 'leaky_bucket');
const key = either(either(text(), list(text())), fn<(context: ExecutionContext) => string>('a function of the context'));
const numbers = { quota: integer(1), duration: duration({ zero: false }), algorithm, burst: integer(1), bucketSize: integer(1) };

/** How the options of a limit are read. */
export const rateLimitOptions = schema<RateLimitOptions>('RateLimit')(
  {
    ...numbers,
    key: withDefault(key, 'ip'),
    cost: withDefault(either(integer(0), fn<(context: ExecutionContext) => number>()), 1),
    name: text(),
    limits: list(group({ ...numbers, key })),
  },
  ({ limits, ...beside }) => {
    const extra = Object.keys(numbers).find((name) => beside[name as keyof typeof numbers] !== undefined);
    if (limits !== undefined && extra !== undefined) return `option "${extra}" goes into each of "limits", not beside them`;
    const bare = (limits ?? [beside]).some(({ quota, duration: span }) => quota === undefined || span === undefined);
    return bare ? `needs "quota" and "duration"${limits === undefined ? ', or "limits"' : ' in each of "limits"'}` : undefined;
  },
);

/** The options of a limit, read. */
export type ResolvedRateLimit = ReturnType<typeof rateLimitOptions.parse>;

/** A limit that was read and whose keys are understood: it waits for its Premier. */
export interface LimitPlan {
  readonly options: RateLimitOptions;
  readonly name: string | undefined;
  /** Whether every key is a function: then it works without an HTTP request too. */
  readonly ownKeys: boolean;
}

/** Reads the options at once, so that mistakes are told when the application starts. Throws `OptionsError`. */
export function planOf(options: RateLimitOptions): LimitPlan {
  const resolved = rateLimitOptions.parse(options);
  const rules = rulesOf(resolved);
  return { options, name: resolved.name, ownKeys: rules.every(({ asked }) => typeof asked === 'function') };
}

/** The limit as a policy around a function of a `Visit`. Its headers go into the visit's exchange. */
export const requestLimit = definePolicy({
  name: 'RateLimit',
  options: rateLimitOptions,
  create(options, runtime, place): Around {
    const rules = rulesOf(options);
    const tell = limitHeaders(rules, options.limits !== undefined, runtime.clock);
    const { cost, name } = options;
    // At once: numbers that do not fit another limit of that name are told when the application starts.
    if (name !== undefined) openLimit(runtime, limitName('RateLimit', rules, name), rules);
    return new Limiter(
      'RateLimit',
      {
        rules,
        name,
        cost: typeof cost === 'number' ? cost : (visit) => cost((visit as Visit).context),
        wait: false,
        maxWait: 0,
        told: (call, ruling) => {
          const visit = call.args[0] as Visit;
          if (visit.request !== undefined) tell(visit.exchange, ruling);
        },
      },
      runtime,
      place,
    );
  },
});

type AskedRule = KeyedRule & { readonly asked: RateLimitKey };

function rulesOf(options: ResolvedRateLimit): AskedRule[] {
  const usual = keymakerOf(options.key);
  return (options.limits ?? [options]).map((limit) => {
    const { quota = 0, duration: span = 0, burst, bucketSize } = limit;
    const rule = limitRule('RateLimit', limit.algorithm ?? 'fixed_window', { quota, duration: span, burst, bucketSize });
    const own = limit.key === undefined || limit.key === options.key;
    return { ...rule, keymaker: own ? usual : keymakerOf(limit.key), asked: limit.key ?? options.key };
  });
}

/** A pattern without `*`: what stands for a part of a path is not known here, and a function can ask Nest for it. */
const noPattern = '/';

function keymakerOf(asked: RateLimitKey): KeyMaker {
  if (typeof asked === 'function') return (visit) => asked((visit as Visit).context);
  const read = compileKey(asked, noPattern);
  return (visit) => read((visit as Visit).exchange);
}
