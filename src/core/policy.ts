import type { Call } from './call.js';
import type { Clock } from './clock.js';
import type { Events } from './events.js';
import type { Site } from './call.js';
import type { Logger, Schema } from './options.js';
import type { Provider } from './provider.js';

/** Runs what lies inside a policy. */
export type Next = (call: Call) => Promise<unknown>;

/** A policy that stands around the call: it may run it later, several times, or not at all. */
export interface Around {
  run(call: Call, next: Next): Promise<unknown>;
}

/**
 * A policy that stands beside the call: it sees it begin and end. Neighbours of this kind are fused into one runner and one promise,
 * so that a stack of them costs little more than the one that costs most.
 */
export interface Beside<State = unknown> {
  /** Set when this policy works around a synchronous function too, which then stays synchronous. */
  readonly sync?: boolean;
  /** Set when this policy may end the call before the function does: `open` then gets an `Exit`. */
  readonly early?: boolean;
  /** The call begins. What it returns comes back in `success` or `failure`; throwing, or returning a `Refusal`, refuses the call. */
  enter?(call: Call): State | Refusal;
  /** The same for an `early` policy. Its calls have a life of their own: `exit.call`, which the exit aborts. */
  open?(exit: Exit): State;
  /** The call succeeded. A promise that is returned takes the place of the value. */
  success?(value: unknown, state: State, call: Call, again: Next): Promise<unknown> | undefined;
  /** The call failed. A promise that is returned takes the place of the failure; nothing returned lets it pass. */
  failure?(error: unknown, state: State, call: Call, again: Next): Promise<unknown> | undefined;
}

/** What `enter` returns to refuse a call: the same as throwing the error, without the price of a `throw`. */
export class Refusal {
  constructor(readonly error: Error) {}
}

/** The way out for an `early` policy. */
export interface Exit {
  /** The call inside the policy. */
  readonly call: Call;
  /** Whether the call may be ended from outside this policy. */
  readonly nested: boolean;
  /** Ends the call here and now: `call` is aborted, and everything outside sees the error. Late results are dropped. */
  leave(error: unknown): void;
}

/** What a policy does. */
export type Behaviour = Around | Beside;

/** All that a policy may touch of the outside world. */
export interface Runtime {
  readonly clock: Clock;
  /** Numbers from 0 up to 1, as `Math.random`. */
  readonly random: () => number;
  readonly events: Events;
  readonly provider: Provider;
  readonly keyspace: string;
  readonly logger: Logger | undefined;
  /** Whose cache a method's is, when the policy does not say. */
  readonly scope: 'class' | undefined;
  /** What must outlive a call and is not in the provider: circuits, caches, claimed names. */
  readonly registry: Registry;
  /** Takes a name for a function, and the class it is called on; throws `OptionsError` when another function has it. Equal explicit names share on purpose. */
  claim(policy: string, name: string, site: Site, explicit: boolean, owner?: unknown): void;
}

/** State of a Premier by kind and name. */
export interface Registry {
  /** The state of that name, made on first use. */
  get<T>(kind: string, name: string, make: () => T): T;
  /** Every state of a kind, by name. What is taken out is made anew when it is next asked for. */
  all<T>(kind: string): Map<string, T>;
}

/** Where a policy stands: which function, and how many of the same policy are already below it there. */
export interface Place {
  readonly site: Site;
  readonly ordinal: number;
}

/** A kind of policy: one name for method, YAML key, metric label, keyspace and docs page. */
export interface PolicyDefinition<Options, Resolved> {
  readonly name: string;
  /** Read from code and from YAML alike: defaults, units, errors with a path. */
  readonly options: Schema<Options, Resolved>;
  /** Called once for each function that the policy is put around. */
  create(options: Resolved, runtime: Runtime, place: Place): Behaviour | readonly Behaviour[];
}

/** A policy with its options, not yet around a function. */
export interface Policy {
  readonly name: string;
  /** The resolved options, for `policiesOf`. */
  readonly options: object;
  bind(place: Place): readonly Behaviour[];
}

/** The one way in which a kind of policy comes to be. */
export function definePolicy<Options, Resolved extends object>(
  definition: PolicyDefinition<Options, Resolved>,
): PolicyDefinition<Options, Resolved> {
  return Object.freeze(definition);
}

/** A policy of that kind with these options. Throws `OptionsError` when they are wrong. */
export function configure<Options, Resolved extends object>(
  definition: PolicyDefinition<Options, Resolved>,
  options: Options,
  runtime: Runtime,
): Policy {
  const resolved = definition.options.parse(options);
  return {
    name: definition.name,
    options: resolved,
    bind(place) {
      const made = definition.create(resolved, runtime, place);
      return Array.isArray(made) ? (made as readonly Behaviour[]) : [made as Behaviour];
    },
  };
}
