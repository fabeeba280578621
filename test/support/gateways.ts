import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request, type Server } from 'node:http';
import type { RequestListener } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { createGateway } from '../../src/gateway/create.js';
import type { CreateOptions } from '../../src/gateway/createOptions.js';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import type { Gateway } from '../../src/gateway/gateway.js';

/** An HTTP server on a free port. */
export interface Running {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
}

/** A real HTTP server, for an upstream or around a listener, that ends with the test. */
export async function startUpstream(t: TestContext, handler: RequestListener): Promise<Running> {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, server };
}

/** A server of raw bytes that ends with the test. `connection` gets each socket, and which it is, from 0. */
export async function startRaw(t: TestContext, connection: (socket: Socket, nth: number) => void): Promise<Omit<Running, 'server'>> {
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
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port };
}

/** A gateway that is not listening, with a silent log; it closes with the test. */
export async function makeGateway(t: TestContext, config: GatewayOptions, options: CreateOptions = {}): Promise<Gateway> {
  const gateway = await createGateway({ log: { level: 'silent' }, ...config }, options);
  t.after(() => gateway.close({ grace: 0 }));
  return gateway;
}

/** A gateway that listens on a free port, with a silent log; it closes with the test. */
export async function openGateway(
  t: TestContext,
  config: GatewayOptions,
  options: CreateOptions = {},
): Promise<{ gateway: Gateway; url: string; port: number }> {
  const gateway = await makeGateway(t, config, options);
  return { gateway, ...(await gateway.listen({ port: 0 })) };
}

/** What `send` sends. */
export interface Sent {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders | readonly string[];
  readonly body?: string | Uint8Array;
  /** In place of the URL's path: goes out as it is, not made canonical. */
  readonly path?: string;
}

/** What came back. */
export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
  readonly body: string;
}

/** Sends a request on a connection of its own; the target goes out as it is written. */
export async function send(url: string, { method = 'GET', headers = {}, body, path }: Sent = {}): Promise<Received> {
  const [, origin, target] = /^(https?:\/\/[^/?#]+)(.*)$/.exec(url) as unknown as [string, string, string];
  const out = request(origin, { method, path: path ?? (target || '/'), headers, agent: false });
  const answered = once(out, 'response') as Promise<[IncomingMessage]>;
  out.end(body);
  const [answer] = await answered;
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return {
    status: answer.statusCode as number,
    headers: answer.headers,
    rawHeaders: answer.rawHeaders,
    body: Buffer.concat(chunks).toString(),
  };
}

/** Writes bytes as they are, and resolves with all that came back when the connection ends, or once `done` says that it is enough. */
export async function rawRequest(port: number, text: string, done: (received: string) => boolean = () => false): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('error', () => undefined);
  socket.write(text, 'latin1');
  socket.on('data', (chunk: string) => {
    received += chunk;
    if (done(received)) socket.destroy();
  });
  await once(socket, 'close');
  return received;
}

/** An address where nobody listens. A connection holds its port: one that was merely free could be another process's the next moment. */
export async function deadUrl(): Promise<string> {
  const server = createTcp((accepted) => accepted.unref()).unref();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const holder = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(holder, 'connect');
  holder.unref();
  return `http://127.0.0.1:${holder.localPort}`;
}

/** Resolves once `condition` holds: for what only sockets can tell. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

/** One turn of the event loop, sockets included. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Something that is waited for, and what lets it come. */
export function gate<T = void>(): { readonly opened: Promise<T>; readonly open: (value: T) => void } {
  let open: (value: T) => void = () => undefined;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
