import type { Call, Callable } from '../../core/call.js';
import type { Decorator } from '../../core/decorate.js';
import { schema } from '../../core/options.js';
import { type Behaviour, definePolicy, type Next, type Place, type Runtime } from '../../core/policy.js';
import type { Premier } from '../../premier.js';
import { circuitBreaker } from '../../policies/circuitBreaker.js';
import { throttle } from '../../policies/throttle.js';
import { timeout } from '../../policies/timeout.js';
import type { ClientRules } from './clientOptions.js';
import { isFailure } from './failures.js';
import { type Transport, type Trip, tripOf, Unwell } from './outgoing.js';
import { Places } from './places.js';
import { retrying } from './retrying.js';

/** What a kind of client has on either side of its policies. */
export interface Ends<Reply> {
  readonly transport: Transport<Reply>;
  /** Outermost, such as a cache. */
  readonly outside?: Behaviour | undefined;
  /** Just outside of retry. */
  readonly beforeRetry?: Behaviour | undefined;
}

/**
 * Compiles the policies of a client around its transport, the first outermost: the whole time, retry, and for each attempt the limit, the
 * bulkhead, the circuit and its own time. Waits for a place or for the quota are outside of the circuit: they say nothing about the server.
 */
export function pipelineOf<Reply>(
  premier: Premier,
  name: string,
  rules: ClientRules,
  endsOf: (runtime: Runtime) => Ends<Reply>,
): (trip: Trip) => Promise<Reply> {
  const policies = definePolicy({
    name: 'client',
    options: schema<object>('client')({}),
    create(_options, runtime, place): readonly Behaviour[] {
      const ends = endsOf(runtime);
      const { transport, outside } = ends;
      const last: Behaviour = { run: (call) => sent(transport, call, rules) };
      return present([following, outside, answering(transport), ...within(rules, ends, runtime, place), last]);
    },
  });
  const decorate: Decorator = premier.use(policies, {});
  return decorate(named(name)) as unknown as (trip: Trip) => Promise<Reply>;
}

function within<Reply>(rules: ClientRules, ends: Ends<Reply>, runtime: Runtime, place: Place): (Behaviour | undefined)[] {
  const { retry, rateLimit, bulkhead, breaker, seconds, perTry } = rules;
  return [
    seconds === undefined ? undefined : dueIn(seconds, runtime),
    seconds === undefined ? undefined : (timeout.create({ seconds, logger: undefined }, runtime, place) as Behaviour),
    ...(retry === undefined ? [] : [ends.beforeRetry, ...retrying(retry, ends.transport, runtime, place)]),
    rateLimit === undefined ? undefined : limit(rateLimit, runtime, place),
    bulkhead === undefined ? undefined : new Places(bulkhead, runtime, place),
    ...(breaker === undefined ? [] : circuits(breaker, runtime, place)),
    perTry === undefined ? undefined : (timeout.create({ seconds: perTry, logger: undefined }, runtime, place) as Behaviour),
  ];
}

function present(behaviours: readonly (Behaviour | undefined)[]): readonly Behaviour[] {
  return behaviours.filter((behaviour) => behaviour !== undefined);
}

function limit(options: NonNullable<ClientRules['rateLimit']>, runtime: Runtime, place: Place): Behaviour {
  return throttle.create(throttle.options.parse({ ...options, name: place.site.method }), runtime, place) as Behaviour;
}

function circuits(options: NonNullable<ClientRules['breaker']>, runtime: Runtime, place: Place): readonly Behaviour[] {
  const parsed = circuitBreaker.options.parse({
    ...options,
    name: place.site.method,
    key: (trip: Trip) => trip.origin,
    handle: isFailure,
  });
  return circuitBreaker.create(parsed, runtime, place) as readonly Behaviour[];
}

/** A function by whose name errors, events and circuits call the client. */
function named(name: string): (trip: Trip) => Promise<unknown> {
  const unreachable: Callable = () => {
    throw new Error(`${name} ends at its transport`);
  };
  return Object.defineProperty(unreachable, 'name', { value: name }) as (trip: Trip) => Promise<unknown>;
}

/** Tells the policies when the caller is told that it took too long. */
function dueIn(seconds: number, { clock }: Runtime): Behaviour {
  return {
    enter(call) {
      tripOf(call).due = clock.monotonic() + seconds;
      return undefined;
    },
  };
}

/** Ends everything as soon as the caller's own signal aborts, with its reason. */
const following: Behaviour = {
  run(call, next) {
    const { signal } = tripOf(call);
    if (signal === undefined) return next(call);
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const own = call.fork();
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        own.abort(signal.reason);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', abort, { once: true });
      next(own)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', abort));
    });
  },
};

/** A reply that was a failure is a reply again; one that nobody gets is let go. */
function answering<Reply>(transport: Transport<Reply>): Behaviour {
  return {
    run(call: Call, next: Next) {
      return next(call).catch((error: unknown) => {
        if (error instanceof Unwell) return error.reply;
        const { last } = tripOf(call);
        if (last instanceof Unwell) transport.discard(last.reply as Reply);
        throw error;
      });
    },
  };
}

async function sent<Reply>(transport: Transport<Reply>, call: Call, { retry }: ClientRules): Promise<Reply> {
  const reply = await transport.send(tripOf(call), call);
  if (call.aborted) {
    transport.discard(reply);
    throw call.reason;
  }
  const status = transport.statusOf(reply);
  if (status < 500 && retry?.statuses.has(status) !== true) return reply;
  throw new Unwell(reply, status, transport.retryAfterOf(reply));
}
