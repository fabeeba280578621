import { STATUS_CODES } from 'node:http';
import { Logger } from '@nestjs/common';
import { type PremierError, RejectedError } from '../../core/errors.js';
import { problemOf } from '../../http/problem.js';

/** What a client may know of an error: no stack, no key, no name of a method. */
export interface PublicError {
  readonly statusCode: number;
  readonly message: string;
  /** The status in words, as Nest's own bodies have it. */
  readonly error: string;
  readonly code: string;
}

/** What a client is told of an error. */
export function publicError(error: PremierError): PublicError {
  const { status, message } = problemOf(error);
  return { statusCode: status, message, error: STATUS_CODES[status] ?? 'Error', code: error.code };
}

/** What a client is told by a message rather than an HTTP response. */
export function messageOf(error: PremierError): { status: 'error'; message: string; code: string; retryAfter?: number } {
  const { message, code } = publicError(error);
  const wait = error instanceof RejectedError && Number.isFinite(error.retryAfter) ? { retryAfter: error.retryAfter } : {};
  return { status: 'error', message, code, ...wait };
}

/** Refusals and timeouts are part of normal work. Mistakes are told in the log, since the client hears nothing of them. */
export function logMistake(error: PremierError): void {
  if (error.statusCode === 500) new Logger('Premier').error(error.message, error.stack);
}
