import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { EventName } from '../../src/core/events.js';
import type { Premier } from '../../src/index.js';

/** A server on a free port, and what it was asked. */
export interface TestServer {
  readonly url: string;
  /** The same port under another name. */
  readonly other: string;
  /** Method, path and body of each request. */
  readonly asked: string[];
  readonly sockets: number;
  close(): Promise<void>;
}

/** Starts a server that is closed after the test. */
export async function serve(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse, turn: number) => unknown,
): Promise<TestServer> {
  const asked: string[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    // The clock of a test may be elsewhere.
    response.sendDate = false;
    const turn = asked.push(`${request.method} ${request.url}`) - 1;
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      if (chunks.length > 0) asked[turn] += ` ${Buffer.concat(chunks).toString()}`;
      answer(request, response, turn);
    });
  };
  const server = createServer(listener);
  let sockets = 0;
  server.on('connection', (socket) => {
    sockets++;
    socket.on('error', () => undefined);
    socket.on('close', () => sockets--);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  t.after(close);
  return {
    url: `http://127.0.0.1:${port}`,
    other: `http://localhost:${port}`,
    asked,
    get sockets() {
      return sockets;
    },
    close,
  };
}

/** Resolves with the next event of that name. */
export function next(premier: Premier, name: EventName): Promise<{ readonly wait?: number }> {
  return new Promise((resolve) => {
    const stop = premier.on(name, (event: object) => {
      stop();
      resolve(event);
    });
  });
}

/** An answer of a status, with fields. */
export function say(response: ServerResponse, status: number, body = '', headers: Record<string, string> = {}): void {
  response.writeHead(status, headers).end(body);
}
