import type { IncomingMessage } from 'node:http';
import type { Exchange } from './exchange.js';

const expecting = new WeakSet<IncomingMessage>();

/** A client waits for `100 Continue` before it sends its body (RFC 9110 10.1.1). */
export function expectContinue(request: IncomingMessage): void {
  expecting.add(request);
}

/** The body is wanted now: every limit and every check has let the request pass. */
export function welcomeBody({ body, origin }: Exchange): void {
  if (body === undefined || origin.request === undefined || !expecting.delete(origin.request)) return;
  origin.response?.writeContinue();
}

/** Whether a client still waits, and may send another request in place of the body: only the end of the connection tells them apart. */
export function isExpecting(request: IncomingMessage): boolean {
  return expecting.has(request);
}
