import type { Exchange } from '../../http/exchange.js';
import { headerOf } from '../../http/headers.js';

/** The methods that RFC 9110 9.2.2 calls idempotent. */
export const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Whether a request may be sent twice: by its method, or because the client says so with an `Idempotency-Key`. */
export function isRepeatable(exchange: Exchange, methods: ReadonlySet<string> = idempotentMethods): boolean {
  return methods.has(exchange.method) || headerOf(exchange.headers, 'idempotency-key') !== undefined;
}

/** Whether what is left of the body can be sent again. */
export function isReplayable({ body }: Exchange): boolean {
  return body === undefined || body instanceof Uint8Array;
}
