import { TimeoutError } from '../core/errors.js';
import type { Exchange } from './exchange.js';

const slow = new WeakSet<object>();

/**
 * Notes, when a request is given up, whose fault it is that it took too long. One whose client has not sent all of its body, with nothing
 * of it left to be read, waits for the client: anybody could open circuits and take servers out with a few such uploads.
 */
export function judgeUpload({ body, origin: { request } }: Exchange, reason: unknown): void {
  if (body === undefined || body instanceof Uint8Array || request === undefined || !(reason instanceof TimeoutError)) return;
  if (!request.complete && body.readableLength === 0 && !body.isPaused()) slow.add(reason);
}

/** Whether it was the client who took too long. */
export function isSlowUpload(error: unknown): boolean {
  return error instanceof TimeoutError && slow.has(error);
}
