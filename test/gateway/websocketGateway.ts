import { once } from 'node:events';
import { createServer, type IncomingMessage, request as send, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { Call } from '../../src/core/call.js';
import { type Clock, systemClock } from '../../src/core/clock.js';
import type { Around } from '../../src/core/policy.js';
import { States } from '../../src/core/registry.js';
import type { Features } from '../../src/gateway/config/featureSchemas.js';
import { featureSchemas } from '../../src/gateway/config/featureSchemas.js';
import { exchangeOf, type FeatureContext, type Forward } from '../../src/gateway/feature.js';
import { websocket } from '../../src/gateway/features/websocket.js';
import { type AppUpgrades, takeOver } from '../../src/gateway/websocket/appUpgrade.js';
import type { TunnelEnd } from '../../src/gateway/websocket/tunnel.js';
import { Tunnels } from '../../src/gateway/websocket/tunnels.js';
import { Upgrades } from '../../src/gateway/websocket/upgrade.js';
import { fromReadable } from '../../src/http/body.js';
import { type Answer, Exchange } from '../../src/http/exchange.js';
import { Problem } from '../../src/http/problem.js';

/** What a gateway of the tests is made of. */
export interface Setup {
  readonly forward: Forward;
  readonly options?: Partial<NonNullable<Features['websocket']>>;
  readonly clock?: Clock;
  readonly registry?: States;
  readonly listener?: RequestListener;
  /** In front of this server, in place of one of its own. */
  readonly server?: Server;
}

/** The client's side of WebSockets on a real server, with nothing of a gateway around it but the `websocket` feature. */
export class TestGateway {
  readonly ends: TunnelEnd[] = [];
  readonly answered: number[] = [];
  readonly tunnels: Tunnels;
  readonly upgrades: Upgrades;
  readonly server: Server;
  readonly app: AppUpgrades;
  /** Connections of clients that are open. */
  readonly sockets: Set<Socket> = new Set();
  #waiting: (() => void)[] = [];

  constructor({ forward, options, clock = systemClock, registry = new States(), listener, server }: Setup) {
    const context = { runtime: { registry }, place: { site: { method: '/ws' } } } as unknown as FeatureContext;
    const around = options && (websocket.create(featureSchemas.websocket.parse(options), context)[0] as Around);
    const next = (call: Call): Promise<Answer> => forward(exchangeOf(call), call);
    this.tunnels = new Tunnels(clock);
    this.upgrades = new Upgrades({
      clock,
      tunnels: this.tunnels,
      exchangeFor: (request, socket, head) =>
        request.url === '/bad' ? new Problem('bad_request') : exchangeFor(request, socket, head, clock),
      run: (exchange) => {
        const call = new Call({ fn: () => undefined, method: '/ws', form: 'function' }, undefined, [exchange], undefined);
        const answer = (around === undefined ? next(call) : around.run(call, (inner) => next(inner))) as Promise<Answer>;
        return { answer, abort: (reason) => call.abort(reason) };
      },
      answered: (_exchange, status) => this.#tell(() => this.answered.push(status)),
      ended: (end) => this.#tell(() => this.ends.push(end)),
    });
    this.server = server ?? createServer(listener ?? ((_request, response) => response.end('plain')));
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.#tell(() => this.sockets.delete(socket)));
    });
    this.app = takeOver(this.server);
    this.app.listen((request, socket, head) => this.upgrades.handle(request, socket, head, this.server));
  }

  /** Listens; everything is closed with the test. */
  async listen(test: TestContext): Promise<this> {
    await listen(this.server, test);
    test.after(() => this.sockets.forEach((socket) => socket.destroy()));
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Opens a WebSocket; resolves once it is open. */
  async connect(path: string = '/ws', protocols: string[] = [], options: ClientOptions = {}): Promise<WebSocket> {
    const client = this.client(path, protocols, options);
    await once(client, 'open');
    return client;
  }

  client(path: string = '/ws', protocols: string[] = [], options: ClientOptions = {}): WebSocket {
    return new WebSocket(`ws://127.0.0.1:${this.port}${path}`, protocols, options);
  }

  /** Waits until something holds, looking whenever something has happened. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
  }

  #tell(happened: () => unknown): void {
    happened();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Makes a server listen on a free port until the test is over. */
export async function listen(server: Server, test: TestContext): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** An upstream with a `ws` server; `talk` is called with each connection. */
export async function upstream(
  test: TestContext,
  talk: (socket: WebSocket, request: IncomingMessage) => void,
  options: ServerOptions = {},
): Promise<Upstream> {
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const wss = new WebSocketServer({ server, ...options });
  wss.on('connection', talk);
  const port = await listen(server, test);
  test.after(() => sockets.forEach((socket) => socket.destroy()));
  return { port, sockets, wss, forward: dialling(port) };
}

/** A server behind the gateway. */
export interface Upstream {
  readonly port: number;
  readonly sockets: Set<Socket>;
  readonly wss: WebSocketServer;
  readonly forward: Forward;
}

/** Opens WebSockets to a port of this machine. */
export function dialling(port: number): Forward {
  return (exchange, call) =>
    new Promise((resolve, reject) => {
      const request = send({ port, host: '127.0.0.1', path: exchange.target, headers: exchange.headers });
      call.onAbort((reason) => {
        request.destroy();
        reject(reason);
      });
      request.on('upgrade', ({ rawHeaders }, socket: Duplex, head) =>
        resolve({ status: 101, headers: rawHeaders, body: undefined, tunnel: { socket, head } }),
      );
      request.on('response', (response) => {
        const headers = response.rawHeaders.filter(
          (_, i, all) => !/^(connection|transfer-encoding|keep-alive)$/i.test(all[i - (i % 2)] as string),
        );
        resolve({ status: response.statusCode as number, headers, body: fromReadable(response) });
      });
      request.on('error', (cause) => reject(new Problem('bad_gateway', { cause })));
      request.end();
    });
}

function exchangeFor(request: IncomingMessage, socket: Duplex, head: Uint8Array, clock: Clock): Exchange {
  const [path, query] = (request.url as string).split('?');
  const exchange = new Exchange({
    method: request.method as string,
    path: path as string,
    query: query === undefined ? '' : `?${query}`,
    host: (request.headers.host as string).toLowerCase(),
    scheme: 'http',
    client: '127.0.0.1',
    peer: '127.0.0.1',
    trusted: false,
    headers: request.rawHeaders,
    body: undefined,
    origin: { request, socket, head },
    upgrade: 'websocket',
    started: clock.monotonic(),
  });
  exchange.pattern = '/ws';
  exchange.correlationId = 'c-1';
  exchange.reply.push('X-Correlation-ID', 'c-1');
  return exchange;
}

/** A bare connection, what has come on it, and ways to wait for more. */
export class Raw {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  closed = false;
  #waiting: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#wake();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  async until(holds: (text: string) => boolean): Promise<string> {
    while (!holds(this.text) && !this.closed) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    return this.text;
  }

  /** Everything up to the end of the connection. */
  all(): Promise<string> {
    return this.until(() => false);
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** The head of a handshake. */
export function handshake(path: string = '/ws', more: string = '', method: string = 'GET'): string {
  return (
    `${method} ${path} HTTP/1.1\r\nHost: gate.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`
  );
}

/** A frame of a client. */
export function masked(opcode: number, payload: Uint8Array, final: boolean = true): Buffer {
  const key = Buffer.of(1, 2, 3, 4);
  const body = Buffer.from(payload.map((byte, i) => byte ^ (key[i & 3] as number)));
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 4 : 2);
  head[0] = (final ? 0x80 : 0) | opcode;
  head[1] = 0x80 | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, key, body]);
}
