import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { after } from '../core/clock.js';
import { OptionsError } from '../core/errors.js';
import type { Runtime } from '../core/policy.js';
import type { Answer, Exchange, Passage } from '../http/exchange.js';
import { closeWithConnection, endAfter, isTooLate } from '../http/connection.js';
import { type Asker, exchangeOfRequest } from '../http/nodeRequest.js';
import { headerOf, setHeader } from '../http/headers.js';
import { answerOf, Problem, problemOf } from '../http/problem.js';
import { misunderstood } from './misunderstood.js';
import { writeAnswer } from '../http/writer.js';
import { correlate } from '../observe/correlation.js';
import type { GatewayLog } from '../observe/log.js';
import type { Metrics } from '../observe/metrics.js';
import type { Tracing } from '../observe/tracing.js';
import { outerOf } from './after.js';
import { Doors, type Listening, type ListenOptions } from './doors.js';
import { fetchThrough, type NextInfo } from './fetchThrough.js';
import { invalidateHttp, type Purge } from './features/cachePurge.js';
import type { Generation } from './generation.js';
import type { GivenConfig } from './given.js';
import type { Host } from './host.js';
import type { Own } from './own/own.js';
import type { Pipeline } from './pipeline.js';
import { Visit } from './visit.js';
import { Handshakes } from './handshakes.js';

/** What a gateway is put together from. */
export interface GatewayParts {
  readonly runtime: Runtime;
  readonly log: GatewayLog;
  readonly metrics: Metrics;
  readonly own: Own;
  /** Spans, where OpenTelemetry is installed. */
  readonly tracing: Tracing | undefined;
  readonly first: Generation;
  /** Builds the next generation, whole. Throws `ConfigError` when the configuration is bad: nothing has changed then. */
  readonly build: (config: GivenConfig | undefined, before: Generation) => Promise<Generation>;
  /** Lets go of what was opened for the gateway: provider, pools, watchers, log. */
  readonly release: () => Promise<void>;
}

/** An API gateway: the policies of a configuration around an app, or around the servers behind it. */
export class Gateway implements Host {
  readonly runtime: Runtime;
  readonly log: GatewayLog;
  readonly metrics: Metrics;
  /** For `http.createServer`. */
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
  readonly #parts: GatewayParts;
  readonly #doors: Doors;
  readonly #handshakes: Handshakes;
  #generation: Generation;
  #building: Promise<unknown> = Promise.resolve();
  #inFlight = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.runtime = parts.runtime;
    this.log = parts.log;
    this.metrics = parts.metrics;
    this.#generation = parts.first;
    this.listener = (request, response) => this.handle(request, response);
    this.#handshakes = new Handshakes(this);
    this.#doors = new Doors({
      listener: this.listener,
      upgrade: (request, socket, head, server) => this.#handshakes.handle(request, socket, head, server),
      closed: () => void this.close().catch(() => undefined),
      failed: (error) => this.log.error(`A connection could not be taken: ${error.message}`),
    });
  }

  /** The configuration in use, compiled. */
  get generation(): Generation {
    return this.#generation;
  }

  /** The token of an admin, made for this machine where the configuration names none. */
  get adminToken(): string | undefined {
    return this.#parts.own.adminToken;
  }

  /** Whether the gateway is about to close: it still answers, but says on /health that it will not for long. */
  get draining(): boolean {
    return this.#closing !== undefined;
  }

  /** The open WebSockets. */
  get handshakes(): Handshakes {
    return this.#handshakes;
  }

  /** Drops cached answers. With a store that several processes share, for all of them. */
  invalidate(what: Purge): Promise<void> {
    return invalidateHttp(this.runtime, what);
  }

  /** Answers a `Request`: for fetch-style runtimes. */
  fetch(request: Request, info: NextInfo = {}): Promise<Response> {
    return fetchThrough(this, request, info);
  }

  /** Stands in front of a server's requests and upgrades, and closes with it. */
  attach(server: Server): void {
    this.#doors.attach(server);
  }

  /** Stands in front of a server's upgrades alone, and closes with it: its requests come by a middleware. */
  attachUpgrades(server: Server): void {
    this.#doors.attach(server, false);
  }

  /** Opens a server. Rejects with `OptionsError` when the port is in use. */
  listen(options: ListenOptions = {}): Promise<Listening> {
    return this.#doors.listen(options, this.#generation.config.limits);
  }

  /**
   * Takes over another configuration; without one, its own file is read again. It is built whole first: when it is bad, this rejects with a
   * `ConfigError`, and nothing has changed. What both have in common goes on: counters, circuits, pools, WebSockets.
   */
  async reload(config?: GivenConfig): Promise<void> {
    if (this.#closing !== undefined) throw new OptionsError('reload: the gateway is closed, or about to be');
    const built = this.#building.then(() => this.#parts.build(config, this.#generation));
    this.#building = built.catch(() => undefined);
    try {
      const next = await built;
      const before = this.#generation;
      this.#generation = next;
      before.targets.release();
      this.#doors.configure(next.config.limits);
      this.metrics.reloaded(true);
      this.log.info('Configuration reloaded');
    } catch (error) {
      this.metrics.reloaded(false);
      this.log.error(`Configuration not reloaded: ${(error as Error).message}`);
      throw error;
    }
  }

  /** Stops: no new connections, requests under way are finished within `grace` milliseconds, WebSockets are told to go. */
  close({ grace = this.#generation.config.grace }: { readonly grace?: number } = {}): Promise<void> {
    return (this.#closing ??= this.#close(grace));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A request came in, which is correlated from here on: the counterpart of `finished`. */
  began(exchange: Exchange): void {
    this.#inFlight++;
    this.metrics.began();
    correlate(exchange);
    this.#parts.tracing?.begin(exchange);
  }

  /** It is over. */
  finished(exchange: Exchange, status: number, bytes: number, pipeline: Pipeline | undefined): void {
    const seconds = (this.runtime.clock.monotonic() - exchange.started) / 1000;
    this.metrics.request(exchange, status, seconds, bytes, pipeline?.service ?? '');
    this.log.request(exchange, status, seconds, bytes, pipeline?.slowAfter);
    this.#parts.tracing?.end(exchange, status);
    if (--this.#inFlight === 0) this.#idle?.();
    if (this.#closing !== undefined) this.#doors.finished();
  }

  /** What the gateway answers by itself: /health, /metrics and the others. */
  own(exchange: Exchange): Answer | Promise<Answer> | undefined {
    return this.#parts.own.answer(exchange);
  }

  /** As a middleware: the rest of the app writes to a response that another one stands in for. */
  handle(request: IncomingMessage, response: ServerResponse, passage?: Passage, asker?: Asker): void {
    if (isTooLate(request)) return;
    if (response.socket === null) closeWithConnection(request, response);
    const generation = this.#generation;
    const exchange = exchangeOfRequest(request, response, generation.edge, passage && { ...asker, passage });
    if (exchange instanceof Problem) return this.#refuse(exchange, request, response);
    if (passage !== undefined) exchange.outer = outerOf(request);
    this.began(exchange);
    if (this.#closing !== undefined) exchange.reply.push('Connection', 'close');
    const own = this.own(exchange);
    if (own !== undefined) return this.#answerOwn(exchange, own, response);
    const pipeline = generation.pipelineOf(exchange);
    const out = passage !== undefined && pipeline.seesAnswers ? passage.standIn() : response;
    new Visit(this, exchange, out, pipeline).run();
  }

  #answerOwn(exchange: Exchange, own: Answer | Promise<Answer>, response: ServerResponse): void {
    const { socket } = response;
    const sent = socket?.bytesWritten ?? 0;
    response.on('close', () => {
      const bytes = (socket?.bytesWritten ?? sent) - sent;
      this.finished(exchange, response.writableFinished ? response.statusCode : 499, bytes, undefined);
    });
    void Promise.resolve(own)
      .catch((error: unknown) => {
        const problem = problemOf(error);
        this.log.problem(exchange, problem);
        return answerOf(problem, exchange.correlationId);
      })
      .then((answer) => {
        if (this.draining) setHeader(exchange.reply, 'Connection', 'close');
        writeAnswer(exchange, answer, response, this.runtime.clock);
      })
      .catch(() => response.destroy());
  }

  /** What is no request that can be understood is counted and logged all the same. */
  #refuse(problem: Problem, request: IncomingMessage, response: ServerResponse): void {
    if (headerOf(problem.headers, 'connection') === 'close') endAfter(request);
    const exchange = misunderstood(request, this.runtime.clock);
    this.began(exchange);
    this.#answerOwn(exchange, answerOf(problem, exchange.correlationId), response);
  }

  async #close(grace: number): Promise<void> {
    const { clock } = this.runtime;
    const { drain_delay } = this.#generation.config;
    if (drain_delay > 0) await new Promise<void>((resolve) => void after(clock, drain_delay, resolve));
    const closed = this.#doors.close();
    const finished = Promise.all([this.#handshakes.close(grace), this.#settled(), closed]);
    let giveUp: () => void;
    // What does not even end when its connection does, such as the stream of a `fetch`, is not waited for.
    const over = new Promise<void>((resolve) => void (giveUp = resolve));
    const deadline = after(clock, grace, () => {
      this.#handshakes.giveUp();
      this.#doors.destroy();
      setImmediate(giveUp);
    });
    await Promise.race([finished, over]);
    deadline.clear();
    await this.#building;
    await this.#parts.release();
  }

  #settled(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}
