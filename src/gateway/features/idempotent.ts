import type { Exchange } from '../../http/exchange.js';
import { headerOf } from '../../http/headers.js';
import { idempotentMethods } from '../../http/methods.js';

/** Whether a request may be sent twice: by its method, or because the client says so with an `Idempotency-Key`. */
export function isRepeatable(exchange: Exchange, methods: ReadonlySet<string> = idempotentMethods): boolean {
  return methods.has(exchange.method) || headerOf(exchange.headers, 'idempotency-key') !== undefined;
}

/** Whether what is left of the body can be sent again. */
export function isReplayable({ body }: Exchange): boolean {
  return body === undefined || body instanceof Uint8Array;
}
