import { once } from 'node:events';
import { type RequestListener, type Server as HttpServer, createServer } from 'node:http';
import { type AddressInfo, type Server as TcpServer, type Socket, createServer as createTcp } from 'node:net';
import type { TestContext } from 'node:test';
import { Call } from '../../src/core/call.js';
import { systemClock } from '../../src/core/clock.js';
import { type Body, collect, type Sink } from '../../src/http/body.js';
import { Exchange, type ExchangeInit } from '../../src/http/exchange.js';
import { createProxy } from '../../src/proxy/proxy.js';
import { Upstream, type UpstreamInit } from '../../src/proxy/upstream.js';
import type { UpstreamOptions } from '../../src/proxy/upstreamOptions.js';

type Health = UpstreamOptions['health'];

/** A pool's configuration with the defaults of the file. */
export function poolOf(
  urls: readonly (string | { url: string; weight: number })[],
  change: Partial<Omit<UpstreamOptions, 'health' | 'servers'>> & { health?: Partial<Health> } = {},
): UpstreamOptions {
  const health: Health = {
    interval: 10_000,
    timeout: 2000,
    healthy_after: 1,
    unhealthy_after: 1,
    max_fails: 1,
    fail_duration: 10_000,
    slow_start: 0,
    ...change.health,
  };
  return {
    balance: { algorithm: 'round_robin', key: 'ip' },
    connections: 128,
    connect_timeout: 5000,
    keep_alive: 4000,
    host: 'client',
    tls: { insecure: false },
    ...change,
    servers: urls.map((url) => (typeof url === 'string' ? { url, weight: 1 } : url)),
    health,
  };
}

/** A pool that ends with the test, and a way to send to it. */
export function proxyTo(t: TestContext, config: UpstreamOptions, init: Partial<UpstreamInit> = {}) {
  const upstream = new Upstream({ clock: systemClock, random: Math.random, name: 'pool', config, ...init });
  t.after(() => upstream.close());
  const forward = createProxy(upstream);
  return {
    upstream,
    forward,
    async ask(given: Partial<ExchangeInit> = {}, call: Call = callOf()) {
      const exchange = exchangeOf(given);
      const answer = await forward(exchange, call);
      return { exchange, answer, status: answer.status, headers: answer.headers, text: await textOf(answer.body) };
    },
  };
}

export function callOf(): Call {
  return new Call({ fn: () => undefined, method: 'test', form: 'function' }, undefined, [], undefined);
}

export function exchangeOf(given: Partial<ExchangeInit> = {}): Exchange {
  return new Exchange({
    method: 'GET',
    path: '/',
    query: '',
    host: 'api.test',
    scheme: 'http',
    client: '192.0.2.1',
    peer: '192.0.2.1',
    trusted: false,
    headers: [],
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
    ...given,
  });
}

export async function textOf(body: Body): Promise<string> {
  return Buffer.from((await collect(body, 1e9)) as Uint8Array).toString('latin1');
}

/** A real HTTP server that ends with the test. */
export async function httpServer(t: TestContext, listener: RequestListener): Promise<{ url: string; port: number; server: HttpServer }> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, server };
}

/** A server of raw bytes. `connection` gets each socket, and which it is, from 0. */
export async function rawServer(
  t: TestContext,
  connection: (socket: Socket, nth: number) => void,
): Promise<{ url: string; server: TcpServer; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createTcp((socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
    connection(socket, sockets.length - 1);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, sockets };
}

/** A server that answers every request head with these bytes. */
export function answering(t: TestContext, bytes: string): ReturnType<typeof rawServer> {
  return rawServer(t, (socket) => socket.on('data', () => socket.write(bytes, 'latin1')));
}

/** Resolves once `condition` holds: for what only sockets can tell. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets a connection come back to its pool: undici gives it free a turn after the answer. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** What a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it was not rejected');
}

/** A taker of a body that remembers what came. */
export class Recorder implements Sink {
  readonly chunks: Uint8Array[] = [];
  trailers: string[] | undefined;
  ended = false;
  failure: Error | undefined;
  constructor(private readonly takes: () => boolean = () => true) {}
  get length(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }
  write(chunk: Uint8Array): boolean {
    this.chunks.push(chunk);
    return this.takes();
  }
  end(trailers?: string[]): void {
    this.ended = true;
    this.trailers = trailers;
  }
  fail(error: Error): void {
    this.failure = error;
  }
}
