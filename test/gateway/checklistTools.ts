import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import { openGateway, startUpstream, turn, until } from '../support/gateways.js';

/** A request as an upstream of the tests has read it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: string[];
  readonly body: string;
}

/** Every value of a field that an upstream has read. */
export function valuesOf({ rawHeaders }: Seen, name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && (rawHeaders[i - 1] as string).toLowerCase() === name);
}

/** A gateway in front of an upstream that remembers each request, in order of arrival, and answers with the path that it saw. */
export async function watched(t: TestContext, config: GatewayOptions = {}) {
  const seen: Seen[] = [];
  const upstream = await startUpstream(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, rawHeaders } = request;
      seen.push({ method: method as string, url: url as string, rawHeaders, body: Buffer.concat(chunks).toString('latin1') });
      response.end(url);
    });
  });
  return { ...(await openGateway(t, { ...config, servers: [upstream.url] })), seen };
}

/** The head of a request, from its lines. */
export function head(...lines: string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** The statuses of all answers in what came back on a connection. */
export function statusesOf(received: string): number[] {
  return Array.from(received.matchAll(/HTTP\/1\.[01] (\d{3}) /g), (found) => Number(found[1]));
}

/** A client that writes and reads bytes, step by step. */
export class Wire {
  readonly socket: Socket;
  received = '';
  /** Whether the other side has ended, or the connection is gone. */
  ended = false;
  /** Whether it was reset. */
  broken = false;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => (this.received += chunk));
    this.socket.on('error', () => (this.broken = true));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('close', () => (this.ended = true));
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Waits until what came back holds a text. */
  async until(text: string): Promise<void> {
    while (!this.received.includes(text)) {
      if (this.ended) throw new Error(`the connection ended before "${text}" came: ${this.received}`);
      await turn();
    }
  }

  /** Waits until the other side has ended the connection. */
  async end(): Promise<string> {
    await until(() => this.ended);
    this.socket.destroy();
    return this.received;
  }
}

/** A `Wire` that is destroyed with the test. */
export function wire(t: TestContext, port: number): Wire {
  const made = new Wire(port);
  t.after(() => made.socket.destroy());
  return made;
}
