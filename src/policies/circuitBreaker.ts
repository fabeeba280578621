import type { AnyArgs } from '../core/decorate.js';
import type { Call } from '../core/call.js';
import type { Duration } from '../core/duration.js';
import { callerKey } from '../core/callerKey.js';
import { circuitOpen, TimeoutError } from '../core/errors.js';
import { selector } from '../core/failures.js';
import { ByName } from '../core/identity.js';
import { escapePart, prefixOf } from '../core/keyspace.js';
import {
  duration,
  type ErrorClass,
  errorClasses,
  flag,
  fn,
  group,
  integer,
  number,
  schema,
  text,
  value,
  withDefault,
} from '../core/options.js';
import { type Behaviour, type Beside, definePolicy, Refusal, type Runtime } from '../core/policy.js';
import type { Provider } from '../core/provider.js';
import { attendBallot } from './circuitBallot.js';
import { Circuit, type CircuitListener, type CircuitRules, type Permit } from './circuit.js';
import { Consecutive, LastCalls, LastSeconds, type RateRules, type Window } from './circuitWindow.js';
import { fallback, type Fallback } from './fallback.js';

/** Options of `circuitBreaker`. */
export interface CircuitBreakerOptions<A extends readonly unknown[] = AnyArgs, R = unknown> {
  /**
   * Failures in a row that open the circuit. Not together with `window`.
   * @default 5
   */
  failureThreshold?: number;
  /**
   * How long an open circuit refuses before it lets probes through; also how long a probe may take before its place is free again.
   * @default 60
   */
  recoveryTimeout?: Duration;
  /**
   * Good probes that close the circuit.
   * @default 1
   */
  successThreshold?: number;
  /**
   * Probes at once; further calls are refused.
   * @default 1
   */
  halfOpenMax?: number;
  /** Only errors of these classes count. */
  expectedException?: readonly ErrorClass[];
  /**
   * Only errors for which this is true count.
   * @default all but refusals by other policies, wrong options and keys, and `AbortError`s
   */
  handle?: (error: unknown) => boolean;
  /** Opens by the share of bad calls instead of a row of them. */
  window?: CircuitWindowOptions;
  /** One circuit for each key, such as a host or a tenant. */
  key?: (...args: A) => string;
  /** What to answer while the circuit refuses, instead of an error. */
  fallback?: Fallback<R, A>;
  /**
   * Whether all Premiers on one provider and in one keyspace open together.
   * @default false
   */
  shared?: boolean;
  /**
   * The circuit's name. Functions with an equal one share a circuit.
   * @default `Class.method`, or the function's name
   */
  name?: string;
}

/** The calls that a circuit breaker looks at: the last `calls`, or those of the last `seconds`. */
export interface CircuitWindowOptions {
  seconds?: Duration;
  calls?: number;
  /**
   * With fewer calls in the window the circuit stays closed.
   * @default 10, or `calls` if that is fewer
   */
  minCalls?: number;
  /**
   * The share of failures that opens, 0.5 for half.
   * @default 0.5
   */
  failureRate?: number;
  /**
   * The share of slow calls that opens.
   * @default 1
   */
  slowRate?: number;
  /** From when on a call is slow. No call is by default. */
  slowAfter?: Duration;
}

/** Circuits of one function that has a `key`; more than this many, and the closed one that was not used the longest is forgotten. */
const mostCircuits = 10_000;

/** Stops calling what fails, and looks from time to time whether it has recovered. */
export const circuitBreaker = definePolicy({
  name: 'circuitBreaker',
  options: schema<CircuitBreakerOptions>('circuitBreaker')(
    {
      failureThreshold: integer(1),
      recoveryTimeout: withDefault(duration({ zero: false }), 60_000),
      successThreshold: withDefault(integer(1), 1),
      halfOpenMax: withDefault(integer(1), 1),
      expectedException: errorClasses(),
      handle: fn<(error: unknown) => boolean>(),
      window: group({
        seconds: duration({ zero: false }),
        calls: integer(1, 1_000_000),
        minCalls: integer(1),
        failureRate: withDefault(number(0.001, 1), 0.5),
        slowRate: withDefault(number(0.001, 1), 1),
        slowAfter: duration(),
      }),
      key: fn<(...args: unknown[]) => string>(),
      fallback: value<unknown>('a value or a function', () => true),
      shared: flag(false),
      name: text(),
    },
    ({ window, failureThreshold }) => {
      if (!window) return undefined;
      if (failureThreshold !== undefined) return 'options "failureThreshold" and "window" exclude each other; keep one';
      if ((window.seconds === undefined) === (window.calls === undefined)) return 'option "window" needs either "seconds" or "calls"';
      if (window.calls !== undefined && (window.minCalls ?? 1) > window.calls) {
        return `option "window.minCalls" must not be over "calls", or the circuit never opens (got ${window.minCalls} over ${window.calls})`;
      }
      return undefined;
    },
  ),
  create(options, runtime, place): readonly Behaviour[] {
    const { clock, events } = runtime;
    const { key, window, recoveryTimeout, successThreshold, halfOpenMax } = options;
    const counts = selector({ classes: options.expectedException, handle: options.handle }, (error) =>
      events.emit('callbackFailed', { name: place.site.method }, { callback: 'handle', error }),
    );
    const newWindow = (): Window => {
      if (!window) return new Consecutive(options.failureThreshold ?? 5);
      const rules: RateRules = { ...window, minCalls: window.minCalls ?? Math.min(10, window.calls ?? 10) };
      return window.calls === undefined ? new LastSeconds(window.seconds ?? 0, rules) : new LastCalls(window.calls, rules);
    };
    const changed: CircuitListener = ({ name }, state, retryAfter) => {
      if (state === 'open') events.emit('circuitOpened', { name }, { circuit: name, retryAfter });
      else if (state === 'half_open') events.emit('circuitHalfOpened', { name }, { circuit: name });
      else events.emit('circuitClosed', { name }, { circuit: name });
    };
    const rules: CircuitRules = { window: newWindow, recoveryTimeout, successThreshold, halfOpenMax };
    const make = (name: string): Circuit => new Circuit(name, clock, rules);
    const shared = (name: string): Circuit =>
      sharedCircuit(runtime, name, () => {
        const its = make(name);
        return runtime.provider.shared ? attendBallot(its, runtime, recoveryTimeout) : its;
      });
    const circuit = (name: string): Circuit =>
      runtime.registry.get('circuit', name, () => (options.shared ? shared(name) : make(name)).heardBy(changed));
    const single = new ByName(runtime, 'circuitBreaker', place, options.name, circuit);
    const keyed = new ByName(runtime, 'circuitBreaker', place, options.name, (name) => ({ name }));
    const circuitOf = (call: Call): Circuit =>
      key ? keyedCircuit(runtime, circuit, `${escapePart(keyed.of(call).name)}:${callerKey(key, call, 'key')}`) : single.of(call);

    /** Refusals of this policy: the fallback answers for them alone, not for those of circuits further in. */
    const refused = new WeakSet<object>();
    const breaker: Beside<Permit> = {
      enter(call) {
        const its = circuitOf(call);
        const permit = its.admit();
        if (typeof permit !== 'number') return permit;
        events.emit('circuitRejected', call, { circuit: its.name, retryAfter: permit / 1000 });
        const error = circuitOpen(its.name, permit);
        if (options.fallback !== undefined) refused.add(error);
        return new Refusal(error);
      },
      success(_value, permit) {
        permit.circuit.succeeded(permit);
        return undefined;
      },
      failure(error, permit, call) {
        // A caller who gave up says nothing about the function; a timeout further out says that it was too slow.
        const cause = call.aborted ? call.reason : error;
        if ((call.aborted && !(cause instanceof TimeoutError)) || !counts(cause)) permit.circuit.ignored(permit);
        else permit.circuit.failed(permit);
        return undefined;
      },
    };
    if (options.fallback === undefined) return [breaker];
    return [
      fallback.create({ value: options.fallback, handle: (error) => refused.has(error as object) }, runtime, place) as Behaviour,
      breaker,
    ];
  },
});

const circuitsOf = new WeakMap<Provider, Map<string, Circuit>>();

/** The circuit of that name that everybody on a provider and in a keyspace has in common. */
function sharedCircuit({ provider, keyspace }: Runtime, name: string, make: () => Circuit): Circuit {
  const circuits = circuitsOf.get(provider) ?? new Map<string, Circuit>();
  circuitsOf.set(provider, circuits);
  const key = prefixOf(keyspace, 'circuit', name);
  const circuit = circuits.get(key) ?? make();
  circuits.set(key, circuit);
  return circuit;
}

function keyedCircuit(runtime: Runtime, circuit: (name: string) => Circuit, name: string): Circuit {
  const circuits = runtime.registry.all<Circuit>('circuit');
  const known = circuits.get(name);
  if (known) {
    // The order of use only matters when there may soon be too many.
    if (circuits.size > mostCircuits / 2) {
      circuits.delete(name);
      circuits.set(name, known);
    }
    return known;
  }
  if (circuits.size >= mostCircuits) forgetOne(runtime, circuits);
  return circuit(name);
}

/** Forgets the closed circuit that was not used the longest. */
function forgetOne({ provider, keyspace }: Runtime, circuits: Map<string, Circuit>): void {
  for (const [name, { info }] of circuits) {
    if (info.state !== 'closed') continue;
    circuits.delete(name);
    circuitsOf.get(provider)?.delete(prefixOf(keyspace, 'circuit', name));
    return;
  }
}
