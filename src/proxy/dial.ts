import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Call } from '../core/call.js';
import type { Timer } from '../core/clock.js';
import { TimeoutError } from '../core/errors.js';
import { fromReadable } from '../http/body.js';
import type { Answer, Exchange, Tunnel } from '../http/exchange.js';
import { tokensOf } from '../http/headers.js';
import { failed } from './failureKind.js';
import { longestSilence } from './links.js';
import { requestHeaders } from './requestHeaders.js';
import { responseHeaders } from './responseHeaders.js';
import type { Server } from './server.js';
import type { Upstream } from './upstream.js';

/**
 * Asks a pool for an upgrade. Resolves with status 101 and the connection, or with the answer of a server that refuses. What the client
 * sent after its head is left to who opens the tunnel.
 */
export function dial(exchange: Exchange, call: Call, upstream: Upstream): Promise<Answer> {
  return new Promise((resolve, reject) => new Dial(upstream, exchange, resolve, reject).run(call));
}

/** One handshake. */
class Dial {
  readonly #upstream: Upstream;
  readonly #exchange: Exchange;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #tried: Server[] = [];
  #request: ClientRequest | undefined;
  #server: Server | undefined;
  #timer: Timer | undefined;
  #connected = false;
  #answer: Answer | undefined;
  #over = false;

  constructor(upstream: Upstream, exchange: Exchange, resolve: (answer: Answer) => void, reject: (error: unknown) => void) {
    this.#upstream = upstream;
    this.#exchange = exchange;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  run(call: Call): void {
    try {
      const server = this.#upstream.pick(this.#exchange) as Server;
      call.onAbort((reason) => this.#abandon(reason));
      if (!this.#over) this.#go(server);
    } catch (error) {
      this.#fail(error);
    }
  }

  #go(server: Server): void {
    this.#server = server;
    this.#connected = false;
    this.#exchange.server = server.url;
    const request = (server.secure ? secureRequest : plainRequest)(this.#requestTo(server));
    this.#request = request;
    this.#upstream.enter(server);
    this.#limit(request, this.#upstream.config.connect_timeout);
    this.#listen(request, server);
    request.end();
  }

  #requestTo(server: Server): RequestOptions {
    const exchange = this.#exchange;
    const { config, tls } = this.#upstream;
    const keepsHost = config.host === 'client';
    return {
      ...(server.secure && { ...tls, servername: server.serverName ?? '' }),
      hostname: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port,
      path: server.base + exchange.target,
      method: 'GET',
      headers: requestHeaders(exchange, { serverHost: server.host, keepsHost, upgrade: exchange.upgrade }),
      agent: false,
      setHost: false,
    };
  }

  #listen(request: ClientRequest, server: Server): void {
    const { clock } = this.#upstream;
    const began = clock.monotonic();
    let left = false;
    const leave = (tunnel: boolean): void => {
      if (left) return;
      left = true;
      if (tunnel) server.tunnels--;
      this.#upstream.leave(server);
    };
    request.once('socket', (socket) => {
      socket.once(server.secure ? 'secureConnect' : 'connect', () => {
        this.#connected = true;
        this.#limit(request, longestSilence);
      });
    });
    request.on('error', (error) => {
      leave(false);
      if (this.#request === request) this.#broke(server, error);
    });
    request.once('response', (response: IncomingMessage) => {
      response.once('close', () => leave(false));
      this.#upstream.answered(server, response.statusCode as number, clock.monotonic() - began);
      this.#done(server, response, undefined);
    });
    request.once('upgrade', (response: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', nothing);
      server.tunnels++;
      socket.once('close', () => leave(true));
      this.#switched(server, response, { socket, head }, clock.monotonic() - began);
    });
  }

  #switched(server: Server, response: IncomingMessage, tunnel: Tunnel, ms: number): void {
    // A server that switches to what nobody asked for would be spoken to in the wrong language.
    const asked = tokensOf(response.headers.upgrade).includes(this.#exchange.upgrade as string) && response.statusCode === 101;
    if (this.#over || !asked) tunnel.socket.destroy();
    if (this.#over) return;
    if (!asked) return this.#broke(server, new Error('the upstream switched to another protocol'));
    this.#upstream.answered(server, 101, ms);
    this.#done(server, response, tunnel);
  }

  #limit(request: ClientRequest, ms: number): void {
    this.#timer?.clear();
    this.#timer = this.#upstream.clock.setTimer(() => request.destroy(tooLong), ms);
    this.#timer.unref();
  }

  #done(server: Server, response: IncomingMessage, tunnel: Tunnel | undefined): void {
    this.#timer?.clear();
    if (this.#over) {
      response.destroy();
      return;
    }
    this.#over = true;
    const status = response.statusCode as number;
    const headers = responseHeaders(response.rawHeaders, status, this.#exchange, server.origin);
    this.#upstream.tie(this.#exchange, server);
    if (this.#exchange.tie !== undefined) headers.push('set-cookie', this.#exchange.tie);
    this.#answer = tunnel === undefined ? { status, headers, body: fromReadable(response) } : { status, headers, body: undefined, tunnel };
    this.#resolve(this.#answer);
  }

  #broke(server: Server, error: Error): void {
    this.#timer?.clear();
    if (this.#over) return;
    this.#upstream.failed(server);
    if (this.#connected) {
      this.#fail(failed(error === tooLong ? 'timeout' : 'reset', server.url, error));
      return;
    }
    this.#tried.push(server);
    try {
      const next = this.#upstream.pick(this.#exchange, this.#tried);
      if (next !== undefined) {
        this.#go(next);
        return;
      }
    } catch {
      // this failure took the last one: what is told is that nobody could be reached
    }
    this.#fail(failed('connect_error', server.url, error));
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#reject(error);
  }

  /** The call was aborted. A handshake stops; an answer that nobody took over is let go. */
  #abandon(reason: unknown): void {
    const cause = reason instanceof Error ? reason : new Error('the call was aborted', { cause: reason });
    if (this.#answer !== undefined) {
      this.#answer.tunnel?.socket.destroy();
      if (this.#answer.tunnel === undefined) this.#request?.destroy();
      return;
    }
    if (this.#over) return;
    this.#over = true;
    this.#timer?.clear();
    if (reason instanceof TimeoutError && this.#server !== undefined) this.#upstream.failed(this.#server);
    this.#request?.destroy(cause);
    this.#reject(reason);
  }
}

const tooLong = new Error('the upstream took too long');

function nothing(): void {
  // who opened the tunnel hears of it by 'close'
}
