import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { OptionsError } from '../core/errors.js';
import { expectContinue } from '../http/expect.js';
import type { ResolvedConfig } from './config/schema.js';
import { refuseConnect, refuseConnection } from './clientError.js';
import { takeOver } from './websocket/appUpgrade.js';

/** Where to listen. */
export interface ListenOptions {
  /** 0 takes a free one. @default 8000 */
  readonly port?: number;
  /** @default '127.0.0.1' */
  readonly host?: string;
}

/** Where a gateway listens. */
export interface Listening {
  readonly url: string;
  readonly port: number;
}

/** What goes through a door. */
export interface Doorway {
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer, server: Server) => void;
  readonly closed: () => void;
  /** A server that listens cannot take a connection, for want of descriptors as a rule. */
  readonly failed: (error: Error) => void;
}

/** The HTTP servers that a gateway stands in front of: its own, and those it was attached to. */
export class Doors {
  readonly #doorway: Doorway;
  readonly #servers = new Map<Server, () => void>();
  /** Those that it opened itself. */
  readonly #own = new Set<Server>();
  #closing = false;

  constructor(doorway: Doorway) {
    this.#doorway = doorway;
  }

  /** Opens a server of the gateway's own, with the limits of the configuration. */
  async listen(options: ListenOptions, limits: ResolvedConfig['limits']): Promise<Listening> {
    // A closed gateway has let go of its pools and of its store: a server would only keep the process.
    if (this.#closing) throw new OptionsError('listen: the gateway is closed, or about to be');
    if (typeof options !== 'object' || options === null)
      throw new OptionsError(`listen: give an object, such as { port: ${Number(options) || 8000} }`);
    const unknown = Object.keys(options).find((name) => name !== 'port' && name !== 'host');
    if (unknown !== undefined) throw new OptionsError(`listen: unknown option "${unknown}"; known are port, host`);
    const { host = '127.0.0.1' } = options;
    const port = portOf(options.port ?? 8000);
    const server = createServer({
      connectionsCheckingInterval: Math.ceil(Math.max(50, Math.min(5000, limits.header_timeout / 3))),
      noDelay: true,
    });
    limit(server, limits);
    this.#own.add(server);
    this.attach(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ port, host }, () => {
        server.off('error', reject).on('error', this.#doorway.failed);
        resolve();
      });
    }).catch((error: NodeJS.ErrnoException) => {
      this.#release(server);
      throw error.code === 'EADDRINUSE'
        ? new OptionsError(`listen: port ${port} of ${host} is in use; choose another one`, { cause: error })
        : error;
    });
    const bound = (server.address() as AddressInfo).port;
    return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, port: bound };
  }

  /** Takes over the limits of another configuration. */
  configure(limits: ResolvedConfig['limits']): void {
    for (const server of this.#own) limit(server, limits);
  }

  /** Stands in front of a server: its requests, unless they come by a middleware, its upgrade listeners (also those added later), and its end. */
  attach(server: Server, requests: boolean = true): void {
    if (typeof server !== 'object' || server === null || typeof server.closeIdleConnections !== 'function')
      throw new OptionsError('attach: give the server of node:http that listens, such as createServer(app)');
    if (this.#closing) throw new OptionsError('attach: the gateway is closed, or about to be');
    if (this.#servers.has(server)) return;
    const { listener, upgrade, closed } = this.#doorway;
    const others = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
    const own = !requests || others.includes(listener);
    if (!own) {
      server.removeAllListeners('request');
      server.on('request', listener);
    }
    const behind = takeOver(server);
    behind.listen((request, socket, head) => upgrade(request, socket, head, server));
    const onContinue = (request: IncomingMessage, response: ServerResponse): void => {
      expectContinue(request);
      listener(request, response);
    };
    if (requests) {
      server.on('checkContinue', onContinue).on('clientError', refuseConnection);
      if (server.listenerCount('connect') === 0) server.on('connect', refuseConnect);
    }
    server.once('close', closed);
    this.#servers.set(server, () => {
      behind.release();
      server.off('checkContinue', onContinue).off('clientError', refuseConnection).off('connect', refuseConnect).off('close', closed);
      if (own) return;
      server.off('request', listener);
      for (const other of others) server.on('request', other);
    });
  }

  /** No new connections; those that are idle are closed. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(
      [...this.#servers.keys()].map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeIdleConnections();
          }),
      ),
    );
    for (const server of this.#servers.keys()) this.#release(server);
  }

  /** A request is over: while the doors close, its connection is not kept for another one. */
  finished(): void {
    if (this.#closing) for (const server of this.#servers.keys()) server.closeIdleConnections();
  }

  /** Ends what is still open. */
  destroy(): void {
    for (const server of this.#servers.keys()) server.closeAllConnections();
  }

  #release(server: Server): void {
    this.#servers.get(server)?.();
    this.#servers.delete(server);
    this.#own.delete(server);
  }
}

/** Node reads all of these anew for each connection, or each time that it looks at them. */
function limit(server: Server, limits: ResolvedConfig['limits']): void {
  Object.assign(server, {
    maxHeaderSize: limits.max_header_bytes,
    headersTimeout: limits.header_timeout,
    requestTimeout: limits.request_timeout,
    keepAliveTimeout: limits.keep_alive,
    maxConnections: limits.max_connections,
  });
}

/** A text is taken too: `process.env.PORT` is one. */
function portOf(given: unknown): number {
  const port = given === '' ? NaN : Number(given);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new OptionsError(`listen: "port" must be a whole number from 0 to 65535 (got '${String(given)}')`);
}
