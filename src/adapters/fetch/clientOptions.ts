import { duration, group, integer, list, number, either, schema, text, value, withDefault } from '../../core/options.js';
import type { Duration } from '../../core/duration.js';
import { parseDuration } from '../../core/duration.js';
import { OptionsError } from '../../core/errors.js';
import type { Premier } from '../../premier.js';
import { bulkhead, type BulkheadOptions } from '../../policies/bulkhead.js';
import { circuitBreaker, type CircuitBreakerOptions } from '../../policies/circuitBreaker.js';
import { retry, type RetryOptions } from '../../policies/retry.js';
import { throttle, type ThrottleOptions } from '../../policies/throttle.js';
import type { Outgoing } from './outgoing.js';

/** When a client tries again. */
export interface ClientRetryOptions extends Pick<RetryOptions, 'maxAttempts' | 'maxElapsedS' | 'budget'> {
  /** @default { base: '200ms', max: '5s' }, scattered */
  wait?: NonNullable<RetryOptions['wait']>;
  /**
   * Methods that may be sent twice. A request with `Idempotency-Key` may be, whatever its method is.
   * @default ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY']
   */
  methods?: readonly string[];
  /**
   * Statuses that are tried again, beside network errors and timeouts of an attempt.
   * @default [429, 502, 503, 504]
   */
  statuses?: readonly number[];
}

/** How long a client waits. */
export interface ClientTimeoutOptions {
  /** How long the head of the answer may take, retries and waits included. */
  seconds?: Duration;
  /** How long the head of one attempt may take. */
  perTry?: Duration;
  /** How long the body may take, from the head on. As long as it takes by default. */
  body?: Duration;
}

/** The circuit breaker of a client: one circuit for each origin. Which failures count is fixed: 5xx, network errors and timeouts. */
export type ClientBreakerOptions = Omit<CircuitBreakerOptions, 'key' | 'handle' | 'expectedException' | 'fallback' | 'name'>;

/** The limit of a client: one for each host, unless `keymaker` says otherwise. */
export type ClientLimitOptions = Omit<ThrottleOptions<[request: Outgoing]>, 'name'>;

/** Policies of a client, for one host or for all. What is left out is not done. */
export interface ClientPolicies {
  retry?: ClientRetryOptions | false;
  circuitBreaker?: ClientBreakerOptions | false;
  rateLimit?: ClientLimitOptions | false;
  /** One for each host. */
  bulkhead?: BulkheadOptions | false;
  timeout?: Duration | ClientTimeoutOptions | false;
}

/** What every client has beside its policies. */
export interface ClientOptions<Policies> {
  /**
   * Whose clock, provider and events are used.
   * @default a Premier of its own
   */
  premier?: Premier;
  /**
   * The client's name in errors, events and circuits. Clients of one Premier with an equal name share their circuits and limits.
   * @default 'fetch'; 'undici' for the interceptor
   */
  name?: string;
  /** Other policies for a host: `'api.example.com'`, `'localhost:8080'`, `'*.internal'`. What a host does not say is as for all. */
  hosts?: Readonly<Record<string, Policies>>;
}

/** How a client retries, checked. */
export interface RetryRules {
  readonly methods: ReadonlySet<string>;
  readonly statuses: ReadonlySet<number>;
  readonly policy: Pick<RetryOptions, 'maxAttempts' | 'maxElapsedS' | 'budget' | 'wait'>;
}

/** The policies of a client for one host, checked. Times in milliseconds. */
export interface ClientRules {
  readonly retry: RetryRules | undefined;
  readonly breaker: ClientBreakerOptions | undefined;
  readonly rateLimit: ThrottleOptions | undefined;
  readonly bulkhead: ReturnType<typeof bulkhead.options.parse> | undefined;
  readonly seconds: number | undefined;
  readonly perTry: number | undefined;
  readonly body: number | undefined;
}

const isGroup = (given: unknown): boolean => given === false || (typeof given === 'object' && given !== null && !Array.isArray(given));

/** The fields of `ClientPolicies`: each is read in its turn by `rulesOf`. */
export const policyFields = {
  retry: value<ClientRetryOptions | false>('an object, or false', isGroup),
  circuitBreaker: value<ClientBreakerOptions | false>('an object, or false', isGroup),
  rateLimit: value<ClientLimitOptions | false>('an object, or false', isGroup),
  bulkhead: value<BulkheadOptions | false>('an object, or false', isGroup),
  timeout: value<Duration | ClientTimeoutOptions | false>(
    'a duration, an object with seconds, perTry and body, or false',
    (given) => isGroup(given) || parseDuration(given) !== undefined,
  ),
};

const premierField = value<Premier>('a Premier', (given) => typeof (given as Partial<Premier> | null)?.use === 'function');
const hostsField = value<Readonly<Record<string, never>>>('an object of hosts', (given) => given !== false && isGroup(given));

/** The fields of `ClientOptions`, for a client that is called `name` by default. */
export const clientFields = (name: string): typeof fields => ({ ...fields, name: withDefault(text(), name) });
const fields = { premier: premierField, name: withDefault(text(), 'fetch'), hosts: hostsField };

const idempotent = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'];

const retrySchema = schema<ClientRetryOptions>('retry')({
  maxAttempts: withDefault(integer(1), 3),
  maxElapsedS: duration(),
  budget: either(number(0, 1), group({ ratio: number(0, 1), min: integer(0) })),
  wait: value<NonNullable<RetryOptions['wait']>>('a wait', () => true),
  methods: withDefault(list(text()), idempotent),
  statuses: withDefault(list(integer(400, 599)), [429, 502, 503, 504]),
});

const timeoutSchema = schema<ClientTimeoutOptions>('timeout')({
  seconds: duration({ zero: false }),
  perTry: duration({ zero: false }),
  body: duration({ zero: false }),
});

/** Checks the policies of a client, or of one of its hosts. Throws `OptionsError` that names the `place`. */
export function rulesOf(policies: ClientPolicies, place: string): ClientRules {
  const { circuitBreaker: breaker, rateLimit, bulkhead: places } = policies;
  return placed(place, () => ({
    retry: retryRules(policies.retry),
    breaker: breaker ? checkedBreaker(breaker) : undefined,
    rateLimit: rateLimit ? checkedLimit(rateLimit) : undefined,
    bulkhead: places ? bulkhead.options.parse(places) : undefined,
    ...spansOf(policies.timeout),
  }));
}

/** Reads options; an `OptionsError` then says where they stand. */
export function placed<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof OptionsError) throw new OptionsError(`${place}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** What a host says, and what is said for all where it says nothing. */
export function inherited<T extends object>(forAll: T, its: { [K in keyof T]?: T[K] | undefined }): T {
  return { ...forAll, ...defined(its) };
}

function retryRules(given: ClientRetryOptions | false | undefined): RetryRules | undefined {
  if (!given) return undefined;
  const { methods, statuses } = retrySchema.parse(given);
  const { maxAttempts, maxElapsedS, budget, wait = { base: 0.2, max: 5 } } = given;
  const policy: RetryRules['policy'] = { wait, ...defined({ maxAttempts, maxElapsedS, budget }) };
  retry.options.parse(policy);
  return { methods: new Set(methods.map((method) => method.toUpperCase())), statuses: new Set(statuses), policy };
}

/** What a policy's own check takes for unknown: the client fills these in. */
const filledIn = ['key', 'handle', 'expectedException', 'fallback', 'name'];

function checkedBreaker(given: ClientBreakerOptions): ClientBreakerOptions {
  const taken = filledIn.find((option) => option in given);
  if (taken !== undefined) throw new OptionsError(`circuitBreaker: option "${taken}" is the client's own; leave it out`);
  circuitBreaker.options.parse(given);
  return given;
}

function checkedLimit(given: ClientLimitOptions): ThrottleOptions {
  if ('name' in given) throw new OptionsError(`rateLimit: option "name" is the client's own; leave it out`);
  const limit: ThrottleOptions = { keymaker: (request: Outgoing) => request.host, ...(given as ThrottleOptions) };
  throttle.options.parse(limit);
  return limit;
}

function spansOf(given: ClientPolicies['timeout']): Pick<ClientRules, 'seconds' | 'perTry' | 'body'> {
  if (given === undefined || given === false) return { seconds: undefined, perTry: undefined, body: undefined };
  return timeoutSchema.parse(typeof given === 'object' ? given : { seconds: given });
}

/** The entries of an object that are not undefined: an option that is left out must not stand there. */
function defined<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
