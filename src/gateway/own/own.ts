import { createServer, type Server } from 'node:http';
import { OptionsError } from '../../core/errors.js';
import type { Runtime } from '../../core/policy.js';
import type { Awaitable, Subscription } from '../../core/provider.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { type Edge, exchangeOfRequest } from '../../http/nodeRequest.js';
import { answerOf, Problem, problemOf } from '../../http/problem.js';
import { writeAnswer } from '../../http/writer.js';
import { correlate } from '../../observe/correlation.js';
import type { GatewayLog } from '../../observe/log.js';
import type { Metrics } from '../../observe/metrics.js';
import type { UpstreamReading } from '../../observe/readings.js';
import type { Breakers } from '../../policies/breakers.js';
import { circuitsOf } from '../circuits.js';
import type { ResolvedConfig } from '../config/schema.js';
import { AdminAccess } from './adminAccess.js';
import { adminListenerOf } from './adminListener.js';
import { type Check, Health, storeCheck, upstreamsCheck } from './health.js';
import { isReset, type OwnPaths, ownPaths } from './ownPaths.js';

/** What the own paths are about. */
export interface OwnInit {
  readonly runtime: Runtime;
  readonly log: GatewayLog;
  readonly metrics: Metrics;
  readonly upstreams: { snapshot(): Iterable<UpstreamReading> };
  /** Of all workers, where several processes are one gateway. */
  readonly metricsText: (() => Promise<string>) | undefined;
  /** The token of an admin on this machine, where several processes have one in common. */
  readonly adminToken: string | undefined;
  readonly draining: () => boolean;
  readonly edge: () => Edge;
}

/** What the gateway answers by itself, on its own port or on one apart. */
export class Own {
  readonly #init: OwnInit;
  #admin: ResolvedConfig['admin'];
  #access: AdminAccess;
  #paths: OwnPaths;
  #server: Server | undefined;
  #resets: Subscription | undefined;

  constructor(config: ResolvedConfig, init: OwnInit) {
    this.#init = init;
    this.#admin = config.admin;
    this.#access = new AdminAccess(config.admin.tokens, init.adminToken);
    this.#paths = this.#compile(config);
  }

  /** The token that was made for this machine, where the configuration has none. */
  get adminToken(): string | undefined {
    return this.#access.generatedToken;
  }

  /** Answers what is for the gateway itself on its main port. */
  answer(exchange: Exchange): Awaitable<Answer> | undefined {
    // A question about the server as a whole (RFC 9110 9.3.7): the server is the gateway.
    if (exchange.path === '*') return { status: 204, headers: ['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'], body: undefined };
    return this.#admin.paths && this.#admin.listener === undefined ? this.#paths(exchange) : undefined;
  }

  /** Takes over another configuration; when its port cannot be opened, nothing has changed. The generated token stays as long as there is no other. */
  async configure(config: ResolvedConfig): Promise<void> {
    if (config.admin.listener !== this.#admin.listener) await this.#move(config.admin.listener);
    if (JSON.stringify(config.admin.tokens) !== JSON.stringify(this.#admin.tokens))
      this.#access = new AdminAccess(config.admin.tokens, this.adminToken ?? this.#init.adminToken);
    this.#admin = config.admin;
    this.#paths = this.#compile(config);
  }

  /** Opens the port of `admin.listener`, where there is one, and hears what is reset in other processes. */
  async open(): Promise<void> {
    const { runtime } = this.#init;
    this.#resets ??= runtime.provider.bus?.subscribe(channelOf(runtime), {
      message: (name) => this.#reset(name),
      up: () => undefined,
      down: () => undefined,
    });
    if (this.#admin.listener !== undefined) this.#server = await this.#listen(this.#admin.listener);
  }

  /** Closed first: the new port may be the old one on another address. */
  async #move(listener: string | undefined): Promise<void> {
    await this.#shut();
    try {
      if (listener !== undefined) this.#server = await this.#listen(listener);
    } catch (error) {
      if (this.#admin.listener !== undefined) this.#server = await this.#listen(this.#admin.listener);
      throw error;
    }
  }

  async #listen(listener: string): Promise<Server> {
    const where = adminListenerOf(listener);
    const server = createServer((request, response) => {
      response.on('error', () => undefined);
      const exchange = exchangeOfRequest(request, response, { ...this.#init.edge(), isOwn: isReset });
      if (exchange instanceof Problem) {
        const { status, headers, body } = answerOf(exchange, '');
        response.writeHead(status, headers).end(body);
        return;
      }
      correlate(exchange);
      void Promise.resolve(this.#paths(exchange) ?? answerOf(new Problem('not_found'), exchange.correlationId))
        .catch((error: unknown) => answerOf(problemOf(error), exchange.correlationId))
        .then((answer) => writeAnswer(exchange, answer, response, this.#init.runtime.clock))
        .catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => void server.on('error', reject).listen(where, resolve)).catch((error: Error) => {
      throw new OptionsError(`admin.listener: ${listener} cannot be opened (${error.message}); choose another one`, { cause: error });
    });
    return server;
  }

  /** Closes that port, and hears nothing more. */
  async close(): Promise<void> {
    this.#resets?.close();
    this.#resets = undefined;
    await this.#shut();
  }

  async #shut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  #reset(name: string): void {
    const circuits = circuitsOf(this.#init.runtime);
    if (circuits.some((circuit) => circuit.name === name)) circuits.reset(name);
  }

  /** The circuits of this process. One that is reset here is reset in all that share the store. */
  #circuits(): Breakers {
    const { runtime } = this.#init;
    const circuits = circuitsOf(runtime);
    return Object.assign([...circuits], {
      open: (name: string) => circuits.open(name),
      close: (name: string) => circuits.close(name),
      reset: (name: string) => {
        circuits.reset(name);
        void runtime.provider.bus?.publish(channelOf(runtime), name).catch(() => undefined);
      },
    });
  }

  #compile({ keyspace, store }: ResolvedConfig): OwnPaths {
    const { runtime, log, metrics, upstreams, draining, metricsText } = this.#init;
    const checks: Record<string, Check> = { upstreams: upstreamsCheck(() => upstreams.snapshot()) };
    // Workers without Redis share the store of their primary, without which they end.
    const isRedis = store.redis !== undefined || (metricsText === undefined && runtime.provider.shared !== undefined);
    if (isRedis) checks['redis'] = storeCheck(runtime.provider, keyspace);
    return ownPaths({
      health: new Health({ service: keyspace, clock: runtime.clock, draining, checks }),
      metrics: { contentType: metrics.contentType, text: metricsText ?? (() => metrics.text()) },
      breakers: () => this.#circuits(),
      access: this.#access,
      audit: (message, fields) => log.info(message, fields),
    });
  }
}

function channelOf({ keyspace }: Runtime): string {
  return `${keyspace}:circuit-resets`;
}
