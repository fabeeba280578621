import { type Call, nameOf } from './call.js';
import { OptionsError } from './errors.js';
import type { Place, Runtime } from './policy.js';

/**
 * State by the name of the function it belongs to. A wrapped function or an explicit `name` has one; a method has one for each class
 * that calls it, so that a subclass has its own. Nothing is made before the first call, so that a Premier can be set up after the
 * decorators ran.
 */
export class ByName<State> {
  readonly #make: (name: string) => State;
  readonly #claim: (name: string, owner?: unknown) => string;
  readonly #place: Place;
  readonly #states = new Map<string, State>();
  readonly #name: string | undefined;
  #fixed: State | undefined;
  #lastOwner: unknown;
  #lastState: State | undefined;

  constructor(runtime: Runtime, policy: string, place: Place, explicit: string | undefined, make: (name: string) => State) {
    this.#make = make;
    this.#place = place;
    this.#claim = (name, owner) => {
      runtime.claim(policy, name, place.site, explicit !== undefined, owner);
      return explicit === undefined && place.ordinal > 0 ? `${name}~${place.ordinal}` : name;
    };
    const fixed = explicit ?? (place.site.form === 'function' ? place.site.method : undefined);
    if (fixed === '') throw new OptionsError(`${policy} keeps state, so its function needs a name; pass { name: '…' }`);
    this.#name = fixed === undefined ? undefined : this.#claim(fixed);
  }

  /** The state for a call. */
  of(call: Call): State {
    if (this.#name !== undefined) return (this.#fixed ??= this.#named(this.#name));
    return this.for(call.self);
  }

  /** The state for a call on `self`. */
  for(self: unknown): State {
    if (this.#name !== undefined) return (this.#fixed ??= this.#named(this.#name));
    const owner = typeof self === 'object' && self !== null ? self.constructor : self;
    if (this.#lastState !== undefined && owner === this.#lastOwner) return this.#lastState;
    const name = nameOf(this.#place.site, self);
    const claimed = this.#claim(name, owner);
    const state = this.#states.get(name) ?? this.#named(claimed, name);
    this.#lastOwner = owner;
    return (this.#lastState = state);
  }

  /** Every state so far; the only one where the name is fixed, called or not. */
  known(): readonly State[] {
    if (this.#name !== undefined) return [(this.#fixed ??= this.#named(this.#name))];
    return [...this.#states.values()];
  }

  #named(name: string, as: string = name): State {
    const state = this.#make(name);
    this.#states.set(as, state);
    return state;
  }
}
