import type { Clock } from '../core/clock.js';
import { OptionsError } from '../core/errors.js';
import type { Exchange } from '../http/exchange.js';
import type { Problem } from '../http/problem.js';
import { type Balancer, balancers } from './balancers.js';
import { failed } from './failureKind.js';
import { Health } from './health.js';
import { Server } from './server.js';
import { Sticky } from './sticky.js';
import { type TlsMaterial, connectorOf, tlsOf } from './tls.js';
import { Client } from './undici.js';
import type { UpstreamOptions } from './upstreamOptions.js';

/** What a pool is made with. */
export interface UpstreamInit {
  readonly clock: Clock;
  readonly random: () => number;
  readonly name: string;
  readonly config: UpstreamOptions;
  /** What `consistent_hash` goes by; the client's address by default. */
  readonly keyOf?: ((exchange: Exchange) => string) | undefined;
  /** A server came up or went down: for metrics, events and the log. */
  readonly onServerChange?: ((upstream: string, server: string, up: boolean) => void) | undefined;
}

/** How a server does, for metrics and the dashboard. */
export interface ServerState {
  readonly url: string;
  readonly up: boolean;
  readonly draining: boolean;
  readonly weight: number;
  readonly active: number;
  readonly tunnels: number;
  readonly requests: number;
  readonly failures: number;
  /** How long it takes to begin an answer, in milliseconds; a fading peak. */
  readonly latency_ms: number;
  /** In how many milliseconds its rest after failures ends; 0 when it does not rest. */
  readonly rests_ms: number;
  readonly last_check: { readonly at: number; readonly ok: boolean; readonly said: number | string } | undefined;
}

/** How a pool does. */
export interface UpstreamState {
  readonly name: string;
  readonly algorithm: string;
  readonly servers: readonly ServerState[];
}

/** The least share of a server that has just come back. */
const firstShare = 0.1;

/** A pool of servers that do the same: who is asked next, who is well, and who is being emptied. */
export class Upstream {
  readonly name: string;
  readonly config: UpstreamOptions;
  readonly clock: Clock;
  readonly tls: TlsMaterial;
  readonly servers: readonly Server[];
  readonly #init: UpstreamInit;
  readonly #balance: Balancer;
  readonly #sticky: Sticky | undefined;
  readonly #health: Health;
  /** Those that can be asked now. */
  #live: readonly Server[] = [];
  #retired = false;
  #closed = false;
  /** Whether one of them starts slowly. */
  #warming = false;
  #drained: (() => void) | undefined;

  constructor(init: UpstreamInit) {
    const { name, config, clock, random } = init;
    this.name = name;
    this.config = config;
    this.clock = clock;
    this.#init = init;
    const tls = tlsOf(name, config.tls);
    this.tls = tls;
    this.servers = config.servers.map(({ url, weight }) => new Server(url, weight, name, config, tls, clock));
    this.#balance = balancers[config.balance.algorithm];
    this.#sticky = config.sticky === undefined ? undefined : new Sticky(name, config.sticky);
    this.#refresh();
    this.#health = new Health({
      servers: this.servers,
      options: config.health,
      clock,
      random,
      connect: ({ origin, secure, serverName }) =>
        new Client(origin, { connect: connectorOf(secure ? tls : {}, serverName, config.health.timeout), pipelining: 1 }),
      onChange: (server) => this.#changed(server),
    });
  }

  /**
   * The server to ask, none of those that were `tried`; nothing when all that can be asked were. Throws `service_unavailable`, with the
   * time to come back, when none can be asked at all.
   */
  pick(exchange: Exchange, tried?: readonly Server[]): Server | undefined {
    let live = this.#live;
    if (live.length === 0 || this.#closed) throw this.#unavailable();
    if (tried !== undefined) live = live.filter((server) => !tried.includes(server));
    else if (exchange.retries > 0 && live.length > 1) live = others(live, exchange.server);
    if (live.length <= 1) return live[0];
    if (this.#warming) this.#warm();
    return this.#sticky?.serverOf(exchange, live) ?? this.#balance(live, this.#init.random, exchange, this.#init.keyOf ?? clientOf);
  }

  /** A request or tunnel begins at a server. */
  enter(server: Server): void {
    server.active++;
    server.requests++;
  }

  /** It is over. */
  leave(server: Server): void {
    server.active--;
    if (this.#drained !== undefined && this.#pending() === 0) this.#drained();
  }

  /** A server answered with this status after `ms`. */
  answered(server: Server, status: number, ms: number): void {
    server.measured(ms, this.clock.monotonic());
    if (status >= 502 && status <= 504) this.#health.failed(server);
    else this.#health.succeeded(server);
  }

  /** A server gave no answer, or broke one off. */
  failed(server: Server): void {
    this.#health.failed(server);
  }

  /** Ties the client to the server, where the pool is sticky. */
  tie(exchange: Exchange, server: Server): void {
    if (this.#sticky !== undefined) exchange.tie = this.#sticky.tell(exchange, server);
  }

  /** Sends nothing new to a server; what is under way ends as it would. Throws `OptionsError` on an unknown one. */
  drain(url: string): void {
    this.#serverOf(url).draining = true;
    this.#refresh();
  }

  /** Sends requests to it again. */
  enable(url: string): void {
    this.#serverOf(url).draining = false;
    this.#refresh();
  }

  /** Gives a server another share of the requests; 0 for none. */
  setWeight(url: string, weight: number): void {
    const server = this.#serverOf(url);
    if (!Number.isFinite(weight) || weight < 0) throw new OptionsError(`weight: must be a number of at least 0, not ${weight}`);
    server.weight = weight;
    server.share = weight;
    this.#refresh();
  }

  /** Ends checks and idle connections. Requests under way, and even late ones, are still served: a reload has made another pool. */
  retire(): void {
    this.#retired = true;
    this.#health.stop();
    for (const { links } of this.servers) links.retire();
  }

  /** Ends everything: at once, or when all requests are over or `graceMs` have passed. Tunnels are whose who opened them. */
  async close(graceMs: number = 0): Promise<void> {
    this.retire();
    if (graceMs > 0 && this.#pending() > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.clock.setTimer(resolve, graceMs);
        this.#drained = () => {
          timer.clear();
          resolve();
        };
      });
    }
    this.#drained = undefined;
    this.#closed = true;
    const reason = new Error('the pool was closed');
    for (const { links } of this.servers) links.destroy(reason);
  }

  /** How it does. */
  snapshot(): UpstreamState {
    const now = this.clock.monotonic();
    return {
      name: this.name,
      algorithm: this.config.balance.algorithm,
      servers: this.servers.map((server) => ({
        url: server.url,
        up: server.up,
        draining: server.draining,
        weight: server.weight,
        active: server.active,
        tunnels: server.tunnels,
        requests: server.requests,
        failures: server.failures,
        latency_ms: server.latency,
        rests_ms: server.restsUntil === 0 ? 0 : Math.max(0, server.restsUntil - now),
        last_check: server.lastCheck,
      })),
    };
  }

  #serverOf(url: string): Server {
    const found = this.servers.find((server) => server.url === url);
    if (found !== undefined) return found;
    throw new OptionsError(`upstream "${this.name}" has no server "${url}"; it has ${this.servers.map((server) => server.url).join(', ')}`);
  }

  #pending(): number {
    return this.servers.reduce((sum, { active, tunnels }) => sum + active - tunnels, 0);
  }

  #changed(server: Server): void {
    this.#refresh();
    // Another pool of this name may speak for it now.
    if (this.#retired) return;
    this.#init.onServerChange?.(this.name, server.url, server.up);
  }

  #refresh(): void {
    this.#live = this.servers.filter(({ up, draining, weight }) => up && !draining && weight > 0);
    this.#warming = this.#live.some(({ risenAt }) => risenAt !== undefined);
  }

  /** A server that came back gets its share bit by bit. */
  #warm(): void {
    const now = this.clock.monotonic();
    this.#warming = false;
    for (const server of this.#live) {
      if (server.risenAt === undefined) continue;
      const part = (now - server.risenAt) / this.config.health.slow_start;
      server.share = server.weight * Math.min(1, Math.max(firstShare, part));
      if (part >= 1) server.risenAt = undefined;
      else this.#warming = true;
    }
  }

  #unavailable(): Problem {
    const seconds = Math.max(1, Math.ceil(this.#health.wait / 1000));
    return failed('unavailable', this.name, undefined, ['retry-after', String(seconds)]);
  }
}

/** A retry goes to another server than the last one. */
function others(live: readonly Server[], last: string | undefined): readonly Server[] {
  const found = live.filter(({ url }) => url !== last);
  return found.length === 0 ? live : found;
}

function clientOf(exchange: Exchange): string {
  return exchange.client;
}
