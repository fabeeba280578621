import { OptionsError } from '../core/errors.js';
import type { Runtime } from '../core/policy.js';
import type { Circuit, CircuitInfo } from './circuit.js';

/** The circuits of a Premier: a list of what they are now, with a hand on each. */
export interface Breakers extends ReadonlyArray<CircuitInfo> {
  /** Opens a circuit until it is closed or reset. Throws `OptionsError` for a name that no circuit has. */
  open(name: string): void;
  /** Closes a circuit. */
  close(name: string): void;
  /** Closes a circuit and forgets what it counted. */
  reset(name: string): void;
}

/** The circuits as they are now. A circuit exists from the first call on. */
export function breakersOf({ registry }: Runtime): Breakers {
  const circuits = registry.all<Circuit>('circuit');
  const find = (name: string): Circuit => {
    const circuit = circuits.get(name);
    if (circuit) return circuit;
    const known = circuits.size === 0 ? 'there is none yet' : `known are ${[...circuits.keys()].slice(0, 20).join(', ')}`;
    throw new OptionsError(`breakers: no circuit is named '${name}'; ${known}`);
  };
  return Object.assign(
    [...circuits.values()].map((circuit) => circuit.info),
    {
      open: (name: string) => find(name).forceOpen(),
      close: (name: string) => find(name).close(),
      reset: (name: string) => find(name).reset(),
    },
  );
}
