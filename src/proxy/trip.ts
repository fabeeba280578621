import type { Dispatcher } from 'undici';
import type { Call } from '../core/call.js';
import { TimeoutError } from '../core/errors.js';
import type { Answer, Exchange } from '../http/exchange.js';
import type { RawHeaders } from '../http/headers.js';
import { idempotentMethods } from '../http/methods.js';
import { Problem } from '../http/problem.js';
import { isSlowUpload, judgeUpload } from '../http/slowUpload.js';
import { failed } from './failureKind.js';
import { Inflow } from './inflow.js';
import { passInterim } from './interim.js';
import type { Link, Passenger } from './links.js';
import { RequestBody } from './requestBody.js';
import { requestHeaders } from './requestHeaders.js';
import { responseHeaders, trailersOf } from './responseHeaders.js';
import type { Server } from './server.js';
import type { Upstream } from './upstream.js';

/** One request to a pool and its answer: undici's handler, and the answer's body. */
export class Trip extends Inflow implements Passenger {
  link: Link | undefined = undefined;
  refused = false;
  options: Dispatcher.DispatchOptions = nowhere;
  readonly #exchange: Exchange;
  readonly #upstream: Upstream;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  #server: Server | undefined = undefined;
  /** Whether it counts as under way there. */
  #inside = false;
  #tried: Server[] | undefined = undefined;
  #body: RequestBody | undefined = undefined;
  #sentAt = 0;
  #replayed = false;
  /** Stops what undici does; there once something is sent. */
  #abort: ((reason: Error) => void) | undefined = undefined;
  /** Whether the first byte of an answer has come. */
  #begun = false;
  #answered = false;
  /** Makes undici go on after it was told to stop. */
  #resume: (() => void) | undefined = undefined;

  constructor(upstream: Upstream, exchange: Exchange, resolve: (answer: Answer) => void, reject: (error: unknown) => void) {
    super();
    this.#upstream = upstream;
    this.#exchange = exchange;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Sets out. */
  run(call: Call): void {
    try {
      const server = this.#upstream.pick(this.#exchange) as Server;
      call.onAbort((reason) => this.#abandon(reason));
      if (!this.over) this.#go(server, false);
    } catch (error) {
      this.over = true;
      this.#reject(error);
    }
  }

  protected override proceed(): void {
    this.#resume?.();
  }

  protected override stop(reason: Error): void {
    this.#leave();
    this.#abort?.(reason);
  }

  onConnect(abort: (reason?: Error) => void): void {
    // Thrown, it costs the request, but not the connection.
    if (this.over) throw notWanted;
    this.#abort = abort;
    (this.link as Link).sent++;
  }

  onResponseStarted(): void {
    this.#begun = true;
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void): boolean {
    const exchange = this.#exchange;
    if (status < 200) {
      passInterim(exchange, status, raw);
      return true;
    }
    const server = this.#server as Server;
    this.#resume = resume;
    this.#answered = true;
    this.#upstream.answered(server, status, this.#upstream.clock.monotonic() - this.#sentAt);
    const headers = responseHeaders(raw, status, exchange, server.origin);
    this.#upstream.tie(exchange, server);
    const bare = exchange.method === 'HEAD' || status === 204 || status === 304;
    this.#resolve({ status, headers, body: bare ? undefined : this });
    return true;
  }

  onData(chunk: Uint8Array): boolean {
    return this.take(chunk);
  }

  onComplete(trailers: Buffer[] | string[] | null): void {
    this.#leave();
    this.finish(trailersOf(trailers));
  }

  onError(error: Error): void {
    if (this.over) return;
    const server = this.#server as Server;
    this.#leave();
    if (this.#answered) {
      this.#upstream.failed(server);
      this.breakOff(new Error('the answer of the upstream broke off', { cause: error }));
      return;
    }
    if (this.#body?.broke === true) this.#fail(new Problem('client_closed_request', { cause: error }));
    else if (isOurs(error)) this.#refuse(error);
    else if (this.#abort === undefined) this.#goElsewhere(server, error);
    else this.#breakDown(server, error);
  }

  #go(server: Server, fresh: boolean): void {
    const exchange = this.#exchange;
    const { config, clock } = this.#upstream;
    const headers = requestHeaders(exchange, { serverHost: server.host, keepsHost: config.host === 'client' });
    const { body } = exchange;
    const options: SendOptions = {
      path: server.base + exchange.target,
      method: exchange.method,
      headers,
      body: body === undefined || body instanceof Uint8Array ? (body ?? null) : (this.#body ??= new RequestBody(body)),
      bodyTimeout: exchange.idle,
      reset: config.keep_alive === 0 ? true : null,
      servername: server.serverName ?? server.hostname,
    };
    this.options = options as Dispatcher.DispatchOptions;
    this.#server = server;
    exchange.server = server.url;
    this.#abort = undefined;
    this.#sentAt = clock.monotonic();
    this.#inside = true;
    this.#upstream.enter(server);
    server.links.send(this, fresh);
  }

  /** Nothing was sent, so that another server may be asked, whatever the method. */
  #goElsewhere(server: Server, error: Error): void {
    this.#upstream.failed(server);
    (this.#tried ??= []).push(server);
    const next = this.#next();
    if (next === undefined) this.#fail(failed('connect_error', server.url, error));
    else this.#go(next, false);
  }

  #next(): Server | undefined {
    try {
      return this.#upstream.pick(this.#exchange, this.#tried);
    } catch {
      // this failure took the last one: what is told is that nobody could be reached
      return undefined;
    }
  }

  /** It broke after something was sent. A server may close an idle connection just when we use it: then once more, where that is safe. */
  #breakDown(server: Server, error: Error): void {
    const stale = !this.#begun && (this.link as Link).sent > 1 && !this.#replayed;
    if (stale && this.#body === undefined && idempotentMethods.has(this.#exchange.method)) {
      this.#replayed = true;
      this.#go(server, true);
      return;
    }
    this.#upstream.failed(server);
    const timeout = (error as { code?: unknown }).code === 'UND_ERR_HEADERS_TIMEOUT';
    this.#fail(failed(timeout ? 'timeout' : 'reset', server.url, error));
  }

  /** undici would not send it: that is no fault of the server. */
  #refuse(error: Error): void {
    this.refused = this.#abort === undefined;
    this.#fail(new Problem('bad_gateway', { cause: error }));
  }

  #fail(error: unknown): void {
    this.over = true;
    this.#body?.destroy();
    this.#reject(error);
  }

  /** The call was aborted: by the client, a timeout, a lost hedge. */
  #abandon(reason: unknown): void {
    if (this.over) return;
    const error = reason instanceof Error ? reason : new Error('the call was aborted', { cause: reason });
    if (this.#answered) {
      this.cut(error);
      return;
    }
    judgeUpload(this.#exchange, reason);
    if (this.#server !== undefined && reason instanceof TimeoutError && !isSlowUpload(reason)) this.#upstream.failed(this.#server);
    this.cancel(error);
    this.#body?.destroy();
    this.#reject(reason);
  }

  #leave(): void {
    if (!this.#inside) return;
    this.#inside = false;
    this.#upstream.leave(this.#server as Server);
  }
}

/** What undici reads of its options; its types know neither `servername` nor that a field may be absent by value. */
interface SendOptions {
  readonly path: string;
  readonly method: string;
  readonly headers: RawHeaders;
  readonly body: Uint8Array | RequestBody | null;
  readonly bodyTimeout: number;
  readonly reset: true | null;
  /** Given always: undici would take it from `Host`, and connect anew whenever that changes. */
  readonly servername: string;
}

const nowhere: Dispatcher.DispatchOptions = { path: '/', method: 'GET' };

const notWanted = new Error('nobody waits for this answer any more');

/** Whether undici refused a request as it is. */
function isOurs(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED' || code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH';
}
