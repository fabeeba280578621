import { Problem, type ProblemType } from '../http/problem.js';
import { Stackless } from '../http/stackless.js';

/**
 * Why an upstream gave no answer: nothing could be sent, the connection broke before the answer, it took too long, or no server is there to
 * be asked.
 */
export type FailureKind = 'connect_error' | 'reset' | 'timeout' | 'unavailable';

const types: Readonly<Record<FailureKind, ProblemType>> = {
  connect_error: 'bad_gateway',
  reset: 'bad_gateway',
  timeout: 'gateway_timeout',
  unavailable: 'service_unavailable',
};

/** What really happened, as the cause of a problem: for the log alone, as it names the server. */
export class UpstreamFailure extends Stackless {
  constructor(
    readonly kind: FailureKind,
    readonly server: string,
    cause: unknown,
  ) {
    super(`${kind}: ${server}`, { cause });
  }

  override get name(): string {
    return 'UpstreamFailure';
  }
}

/** The problem that a client gets for a failure of an upstream. */
export function failed(kind: FailureKind, server: string, cause: unknown, headers: string[] = []): Problem {
  return new Problem(types[kind], { headers, cause: new UpstreamFailure(kind, server, cause) });
}

/** How an upstream failed, where an error says so: what a retry decides by. */
export function failureKind(error: unknown): FailureKind | undefined {
  return error instanceof Problem && error.cause instanceof UpstreamFailure ? error.cause.kind : undefined;
}
