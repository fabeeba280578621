import type { Runtime } from '../core/policy.js';
import { type Breakers, breakersOf } from '../policies/breakers.js';

/** The circuits of a gateway's paths and pools, also those that no request has come to yet. */
export function circuitsOf(runtime: Runtime): Breakers {
  const made = breakersOf(runtime);
  const known = new Set(made.map(({ name }) => name));
  const waiting = [...runtime.registry.all('circuitRules').keys()].filter((name) => !known.has(name));
  const all = [...made, ...waiting.map((name) => ({ ...closed, name }))];
  return Object.assign(all, {
    open: (name: string) => made.open(name),
    close: (name: string) => made.close(name),
    reset: (name: string) => {
      if (!waiting.includes(name)) made.reset(name);
    },
  });
}

const closed = { state: 'closed', failureCount: 0, successCount: 0, totalCalls: 0, retryAfter: 0 } as const;

/** What puts the circuits back as they are now: for a configuration that is tried and then not taken. */
export function rememberCircuits({ registry }: Runtime): () => void {
  const [rules, circuits] = [registry.all('circuitRules'), registry.all('circuit')];
  const [rulesNow, circuitsNow] = [new Map(rules), new Map(circuits)];
  return () => {
    rules.clear();
    for (const [name, rule] of rulesNow) rules.set(name, rule);
    for (const [name, circuit] of circuitsNow) circuits.set(name, circuit);
  };
}

/** Forgets the circuits that no path and no pool has any more. */
export function keepCircuits(runtime: Runtime, names: ReadonlySet<string>): void {
  const rules = runtime.registry.all('circuitRules');
  const circuits = runtime.registry.all('circuit');
  for (const name of [...rules.keys()].filter((name) => !names.has(name))) {
    rules.delete(name);
    circuits.delete(name);
  }
}
