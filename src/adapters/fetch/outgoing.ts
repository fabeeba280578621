import type { Call } from '../../core/call.js';
import { Stackless } from '../../http/stackless.js';

/** A request on its way out, as the functions in the options see it. */
export interface Outgoing {
  readonly method: string;
  readonly url: string;
  /** Scheme, host and port: whom a circuit is for. */
  readonly origin: string;
  /** The host, with its port where that is not the scheme's own: whom a limit and a bulkhead are for. */
  readonly host: string;
  /** A field of the request; `name` in lower case. */
  header(name: string): string | undefined;
}

/** What is known of a request while its policies work. */
export interface Trip extends Outgoing {
  /** Whether its body can be sent again. */
  readonly replayable: boolean;
  /** The caller's own signal. */
  readonly signal: AbortSignal | undefined;
  /** When the caller is told that it took too long, by the monotonic clock. */
  due: number;
  /** What the last attempt that ran came to, while another is made. */
  last: unknown;
}

/** The trip of a call: the only argument of every call of a client. */
export function tripOf(call: Call): Trip {
  return call.args[0] as Trip;
}

/** How a kind of client sends a request, and reads what it gets. */
export interface Transport<Reply> {
  /** Sends a trip once. Resolves with the head of the reply; the body may still be arriving. */
  send(trip: Trip, call: Call): Promise<Reply>;
  statusOf(reply: Reply): number;
  /** The value of `Retry-After`. */
  retryAfterOf(reply: Reply): string | undefined;
  /** Lets go of a reply that nobody will read. */
  discard(reply: Reply): void;
}

/** A reply that retry and circuit breaker must see as a failure. Outside of them it is a reply again. */
export class Unwell extends Stackless {
  constructor(
    readonly reply: unknown,
    readonly status: number,
    /** When to come back, as the server says it: `retry` reads it. */
    readonly retryAfter: string | undefined,
  ) {
    super(`the server answered ${status}`);
  }
}
