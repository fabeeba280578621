import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Call } from '../core/call.js';
import type { Answer, Exchange } from '../http/exchange.js';
import { setHeader } from '../http/headers.js';
import { answerOf, Problem, problemOf } from '../http/problem.js';
import { writeAnswer } from '../http/writer.js';
import { discard } from '../http/body.js';
import { discardFailures } from './features/failures.js';
import type { Host } from './host.js';
import type { Pipeline } from './pipeline.js';

/** What a visit needs of whoever brings the request in. */
export type VisitHost = Pick<Host, 'runtime' | 'log' | 'draining' | 'finished'>;

/** One request from the moment that its path is known until its answer is written, or the client has left. */
export class Visit {
  readonly #gateway: VisitHost;
  readonly #exchange: Exchange;
  readonly #response: ServerResponse;
  readonly #pipeline: Pipeline;
  #call: Call | undefined;
  #answered = false;
  #status = 0;
  /** Kept here: the response lets go of it when it is over, and the request when an app destroys it. */
  readonly #socket: Pick<Socket, 'bytesWritten' | 'readableEnded' | 'errored'> | null;
  readonly #sent: number;
  /** Fields that somebody further out has set. */
  readonly #stood: OutgoingHttpHeaders | undefined;

  constructor(gateway: VisitHost, exchange: Exchange, response: ServerResponse, pipeline: Pipeline) {
    this.#gateway = gateway;
    this.#exchange = exchange;
    this.#response = response;
    this.#pipeline = pipeline;
    this.#socket = response.socket;
    this.#sent = this.#socket?.bytesWritten ?? 0;
    this.#stood = response.getHeaderNames().length === 0 ? undefined : response.getHeaders();
  }

  run(): void {
    const call = (this.#call = this.#pipeline.call(this.#exchange));
    this.#response.on('close', () => this.#closed());
    this.#response.on('error', () => undefined);
    this.#pipeline.run(call).then(
      (answer) => this.#answer(answer),
      (error: unknown) => this.#fail(error),
    );
  }

  #answer(answer: Answer): void {
    const exchange = this.#exchange;
    if (exchange.failures !== undefined) discardFailures(exchange, answer);
    this.#answered = true;
    if (answer.handled === true) return;
    this.#status = answer.status;
    if (this.#response.destroyed || this.#response.closed) return discard(answer.body, gone);
    if (this.#gateway.draining) setHeader(exchange.reply, 'Connection', 'close');
    try {
      writeAnswer(exchange, answer, this.#response, this.#gateway.runtime.clock);
    } catch (error) {
      this.#fail(error);
      discard(answer.body, error as Error);
    }
  }

  #fail(error: unknown): void {
    const problem = problemOf(error);
    const exchange = this.#exchange;
    if (exchange.failures !== undefined) discardFailures(exchange);
    this.#answered = true;
    this.#status = problem.status;
    this.#gateway.log.problem(exchange, problem);
    if (this.#response.destroyed || this.#response.headersSent) {
      // Half an answer must not look whole; one that the app ended before it failed stays what it is.
      if (!this.#response.writableEnded) this.#response.destroy();
      return;
    }
    for (const name of this.#response.getHeaderNames()) this.#response.removeHeader(name);
    for (const name in this.#stood) this.#response.setHeader(name, this.#stood[name] as OutgoingHttpHeader);
    // An app may have set one, or the answer that could not be written.
    this.#response.statusMessage = '';
    try {
      writeAnswer(exchange, answerOf(problem, exchange.correlationId), this.#response, this.#gateway.runtime.clock);
    } catch {
      this.#response.destroy();
    }
  }

  /** The connection is done with this answer: as it should be, or because the client left. */
  #closed(): void {
    const response = this.#response;
    // Destroyed without an error, there is none, but no null either; on Deno never. There the socket knows.
    const errored = response.errored as Error | null | undefined;
    const broken = isOfClient(errored) ? null : errored;
    const left = !response.writableFinished && (broken === null || (broken === undefined && hasLeft(this.#socket)));
    if (left && !this.#answered) this.#call?.abort(new Problem('client_closed_request'));
    const status = left ? 499 : this.#status === 0 ? response.statusCode : this.#status;
    if (broken) this.#gateway.log.broken(this.#exchange, status, broken);
    const bytes = Math.max(0, (this.#socket?.bytesWritten ?? 0) - this.#sent);
    this.#gateway.finished(this.#exchange, status, bytes, this.#pipeline);
  }
}

const gone = new Error('the client closed the connection');

function hasLeft(socket: Pick<Socket, 'readableEnded' | 'errored'> | null): boolean {
  return socket !== null && (socket.readableEnded || socket.errored !== null);
}

/** Since 26, Node gives the responses that wait for their turn (pipelining) an error when their client leaves. */
function isOfClient(error: Error | null | undefined): boolean {
  return error?.message === 'aborted' && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
}
