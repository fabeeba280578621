import type { Answer, Exchange } from '../../http/exchange.js';
import { Problem } from '../../http/problem.js';
import type { Breakers } from '../../policies/breakers.js';
import type { AdminAccess } from './adminAccess.js';
import { jsonAnswer } from './jsonAnswer.js';

/** What `/circuit-breakers` needs. */
export interface CircuitsOptions {
  readonly breakers: () => Breakers;
  readonly access: AdminAccess;
  /** Writes down who changed what. */
  readonly audit: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** All circuits by name, in the terms that scripts know. */
export function listCircuits(breakers: Breakers): Answer {
  const told = breakers.map(({ name, state, failureCount, successCount, totalCalls, retryAfter }) => [
    name,
    {
      state,
      failure_count: failureCount,
      recent_failures: failureCount,
      success_count: successCount,
      total_calls: totalCalls,
      retry_after: retryAfter,
    },
  ]);
  return jsonAnswer(Object.fromEntries(told));
}

/** Closes the circuit that a path names, and forgets what it counted. Throws a `Problem` where that is not allowed, or there is none. */
export function resetCircuit(exchange: Exchange, encoded: string, { breakers, access, audit }: CircuitsOptions): Answer {
  const role = access.demand(exchange, 'admin');
  const all = breakers();
  const name = nameOf(encoded, all);
  if (name === undefined) throw new Problem('not_found', { message: 'There is no circuit of that name' });
  all.reset(name);
  audit('Circuit reset', { circuit: name, role, client: exchange.client, correlation_id: exchange.correlationId });
  const info = breakers().find((circuit) => circuit.name === name);
  return jsonAnswer({ circuit: name, state: info?.state ?? 'closed' });
}

/** The circuit's name, which is a pattern as a rule: encoded, or as it is, where the slash that it begins with was merged with the one before it. */
function nameOf(encoded: string, breakers: Breakers): string | undefined {
  let decoded = encoded;
  try {
    decoded = decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
  return [decoded, `/${decoded}`].find((name) => breakers.some((circuit) => circuit.name === name));
}
