import { createServer, type Server } from 'node:http';
import type { Runtime } from '../../core/policy.js';
import type { Awaitable, Provider } from '../../core/provider.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { exchangeOfRequest } from '../../http/nodeRequest.js';
import { answerOf, Problem, problemOf } from '../../http/problem.js';
import { writeAnswer } from '../../http/writer.js';
import { correlate } from '../../observe/correlation.js';
import type { GatewayLog } from '../../observe/log.js';
import type { Metrics } from '../../observe/metrics.js';
import type { UpstreamReading } from '../../observe/readings.js';
import { breakersOf } from '../../policies/breakers.js';
import type { ResolvedConfig } from '../config/schema.js';
import type { Edge } from '../../http/nodeRequest.js';
import { AdminAccess } from './adminAccess.js';
import { adminListenerOf } from './adminListener.js';
import { type Check, Health, storeCheck, upstreamsCheck } from './health.js';
import { type OwnPaths, ownPaths } from './ownPaths.js';

/** What the own paths are about. */
export interface OwnInit {
  readonly runtime: Runtime;
  readonly log: GatewayLog;
  readonly metrics: Metrics;
  readonly upstreams: { snapshot(): Iterable<UpstreamReading> };
  /** Of all workers, where several processes are one gateway. */
  readonly metricsText: (() => Promise<string>) | undefined;
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

  constructor(config: ResolvedConfig, init: OwnInit) {
    this.#init = init;
    this.#admin = config.admin;
    this.#access = new AdminAccess(config.admin.tokens);
    this.#paths = this.#compile(config);
  }

  /** The token that was made for this machine, where the configuration has none. */
  get adminToken(): string | undefined {
    return this.#access.generatedToken;
  }

  /** Answers what is for the gateway itself on its main port. */
  answer(exchange: Exchange): Awaitable<Answer> | undefined {
    return this.#admin.paths && this.#admin.listener === undefined ? this.#paths(exchange) : undefined;
  }

  /** Takes over another configuration. The generated token stays as long as there is no other. */
  async configure(config: ResolvedConfig): Promise<void> {
    const moved = config.admin.listener !== this.#admin.listener;
    if (moved) await this.close();
    if (JSON.stringify(config.admin.tokens) !== JSON.stringify(this.#admin.tokens)) this.#access = new AdminAccess(config.admin.tokens);
    this.#admin = config.admin;
    this.#paths = this.#compile(config);
    if (moved) await this.open();
  }

  /** Opens the port of `admin.listener`, where there is one. */
  async open(): Promise<void> {
    if (this.#admin.listener === undefined) return;
    const where = adminListenerOf(this.#admin.listener);
    const server = createServer((request, response) => {
      response.on('error', () => undefined);
      const exchange = exchangeOfRequest(request, response, this.#init.edge());
      if (exchange instanceof Problem) {
        const { status, headers, body } = answerOf(exchange, '');
        response.writeHead(status, headers).end(body);
        return;
      }
      correlate(exchange);
      void Promise.resolve(this.#paths(exchange) ?? answerOf(new Problem('not_found'), exchange.correlationId))
        .catch((error: unknown) => answerOf(problemOf(error), exchange.correlationId))
        .then((answer) => writeAnswer(exchange, answer, response, this.#init.runtime.clock));
    });
    await new Promise<void>((resolve, reject) => void server.once('error', reject).listen(where, resolve));
    this.#server = server;
  }

  /** Closes that port. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  #compile({ keyspace, store }: ResolvedConfig): OwnPaths {
    const { runtime, log, metrics, upstreams, draining, metricsText } = this.#init;
    const checks: Record<string, Check> = { upstreams: upstreamsCheck(() => upstreams.snapshot()) };
    if (store.redis !== undefined || isShared(runtime.provider)) checks['redis'] = storeCheck(runtime.provider, keyspace);
    return ownPaths({
      health: new Health({ service: keyspace, clock: runtime.clock, draining, checks }),
      metrics: { contentType: metrics.contentType, text: metricsText ?? (() => metrics.text()) },
      breakers: () => breakersOf(runtime),
      access: this.#access,
      audit: (message, fields) => log.info(message, fields),
    });
  }
}

function isShared(provider: Provider): boolean {
  return provider.shared !== undefined;
}
