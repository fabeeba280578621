import { PremierError, RejectedError } from '../core/errors.js';
import type { Answer } from './exchange.js';
import type { RawHeaders } from './headers.js';
import { Stackless } from './stackless.js';

/** The `type` of an error body. */
export type ProblemType =
  | 'bad_request'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'payload_too_large'
  | 'uri_too_long'
  | 'upgrade_required'
  | 'rate_limited'
  | 'headers_too_large'
  | 'client_closed_request'
  | 'internal_server_error'
  | 'not_implemented'
  | 'bad_gateway'
  | 'service_unavailable'
  | 'gateway_timeout'
  | 'loop_detected';

/** The one place of HTTP statuses and what is said with them. */
const problems: Readonly<Record<ProblemType, readonly [status: number, message: string]>> = {
  bad_request: [400, 'The request is malformed'],
  unauthorized: [401, 'Authentication is required'],
  forbidden: [403, 'Access is denied'],
  not_found: [404, 'There is nothing here'],
  method_not_allowed: [405, 'The method is not allowed here'],
  request_timeout: [408, 'The request took too long to arrive'],
  payload_too_large: [413, 'The body is too large'],
  uri_too_long: [414, 'The address is too long'],
  upgrade_required: [426, 'An upgrade is required'],
  rate_limited: [429, 'Rate limit exceeded'],
  headers_too_large: [431, 'The header fields are too large'],
  client_closed_request: [499, 'The client closed the connection'],
  internal_server_error: [500, 'An unexpected error occurred'],
  not_implemented: [501, 'This is not implemented'],
  bad_gateway: [502, 'The upstream did not answer'],
  service_unavailable: [503, 'The service is unavailable'],
  gateway_timeout: [504, 'Request timeout'],
  loop_detected: [508, 'The request runs in a circle'],
};

/** What a problem says, beside its type. */
export interface ProblemDetail {
  readonly status?: number | undefined;
  /** For the client. Never of an exception, an upstream or a host. */
  readonly message?: string | undefined;
  readonly headers?: RawHeaders;
  /** What really happened, for the log. */
  readonly cause?: unknown;
}

/** A request that the gateway answers with an error of its own. Thrown anywhere in the pipeline. */
export class Problem extends Stackless {
  readonly type: ProblemType;
  readonly status: number;
  readonly headers: RawHeaders;

  constructor(type: ProblemType, detail: ProblemDetail = {}) {
    const [status, message] = problems[type];
    super(detail.message ?? message, { cause: detail.cause });
    this.type = type;
    this.status = detail.status ?? status;
    this.headers = detail.headers ?? [];
  }

  override get name(): string {
    return 'Problem';
  }
}

/** An answer that is thrown: one that ends the request early, or an upstream's failure on its way through retry and circuit breaker. */
export class Answered extends Stackless {
  constructor(readonly answer: Answer) {
    super(`answered with ${answer.status}`);
  }

  override get name(): string {
    return 'Answered';
  }
}

/** Whatever was thrown, as a problem: the policies' errors by their status, everything else as an internal error. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof PremierError && error.statusCode !== 500) {
    const type = byStatus.get(error.statusCode) ?? 'internal_server_error';
    const headers = error instanceof RejectedError ? Object.entries(error.headers).flat() : [];
    return new Problem(type, { headers, cause: error });
  }
  return new Problem('internal_server_error', { cause: error });
}

/** What the policies' errors are to a client. */
const byStatus: ReadonlyMap<number, ProblemType> = new Map([
  [429, 'rate_limited'],
  [503, 'service_unavailable'],
  [504, 'gateway_timeout'],
]);

/** The answer that a client gets for a problem. */
export function answerOf(problem: Problem, correlationId: string): Answer & { readonly body: Uint8Array } {
  const error = { type: problem.type, message: problem.message, correlation_id: correlationId || undefined };
  const body = Buffer.from(JSON.stringify({ error }));
  return {
    status: problem.status,
    headers: ['content-type', 'application/json; charset=utf-8', 'content-length', String(body.length), ...problem.headers],
    body,
  };
}
