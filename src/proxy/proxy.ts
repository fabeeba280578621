import type { Call } from '../core/call.js';
import type { Answer, Exchange } from '../http/exchange.js';
import { dial } from './dial.js';
import { Trip } from './trip.js';
import type { Upstream } from './upstream.js';

/**
 * Sends exchanges to a pool. The promise resolves at the answer's head, with a body that may still be arriving; an upgrade resolves with a
 * tunnel. Rejects with a `Problem` whose kind `failureKind` tells.
 */
export function createProxy(upstream: Upstream): (exchange: Exchange, call: Call) => Promise<Answer> {
  return (exchange, call) =>
    exchange.upgrade === undefined
      ? new Promise((resolve, reject) => new Trip(upstream, exchange, resolve, reject).run(call))
      : dial(exchange, call, upstream);
}
