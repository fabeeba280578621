import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Exchange } from '../http/exchange.js';
import { exchangeOfRequest } from '../http/nodeRequest.js';
import { problemOf } from '../http/problem.js';
import { discardFailures } from './features/failures.js';
import type { Host } from './host.js';
import type { Pipeline } from './pipeline.js';
import { Tunnels } from './websocket/tunnels.js';
import type { TunnelEnd } from './websocket/tunnel.js';
import { type Handshake, Upgrades } from './websocket/upgrade.js';

/** The WebSockets of a gateway: their handshakes run the pipelines of requests, and their ends are told as requests' ends are. */
export class Handshakes {
  readonly tunnels: Tunnels;
  readonly #gateway: Host;
  readonly #upgrades: Upgrades;
  readonly #pipelines = new WeakMap<Exchange, Pipeline>();

  constructor(gateway: Host) {
    this.#gateway = gateway;
    const { clock } = gateway.runtime;
    this.tunnels = new Tunnels(clock);
    this.#upgrades = new Upgrades({
      clock,
      tunnels: this.tunnels,
      exchangeFor: (request, _socket, head) => exchangeOfRequest(request, undefined, gateway.generation.edge, { head }),
      run: (exchange) => this.#run(exchange),
      answered: (exchange, status, error) => this.#answered(exchange, status, error),
      ended: (end) => this.#ended(end),
    });
  }

  /** What a server's `upgrade` event brings. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer, server: Server): void {
    this.#upgrades.handle(request, socket, head, server);
  }

  /** Takes no more, and closes what is open within `grace` milliseconds. */
  close(grace: number): Promise<void> {
    return this.#upgrades.close(grace);
  }

  /** Gives up those that are not open yet. */
  giveUp(): void {
    this.#upgrades.giveUp();
  }

  #run(exchange: Exchange): Handshake {
    this.#gateway.began(exchange);
    const pipeline = this.#gateway.generation.pipelineOf(exchange);
    this.#pipelines.set(exchange, pipeline);
    const call = pipeline.call(exchange);
    const answer = pipeline.run(call).then((one) => {
      // Before it is written: the one that the client gets is among them.
      discardFailures(exchange, one);
      return one;
    });
    return { answer, abort: (reason) => call.abort(reason) };
  }

  #answered(exchange: Exchange, status: number, error: unknown): void {
    discardFailures(exchange);
    if (error !== undefined) this.#gateway.log.problem(exchange, problemOf(error));
    if (status === 101) this.#gateway.metrics.webSocketOpened(exchange.pattern);
    this.#gateway.finished(exchange, status, 0, this.#pipelines.get(exchange));
  }

  #ended(end: TunnelEnd): void {
    const { exchange } = end;
    this.#gateway.metrics.webSocketClosed(exchange.pattern);
    this.#gateway.log.webSocket(end, this.#pipelines.get(exchange)?.slowAfter);
  }
}
