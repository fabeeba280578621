import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The upstream of a `premier serve` that was given no file: something to try policies on. */
export class SampleUpstream {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Starts it on a free port of this machine. */
  static async start(): Promise<SampleUpstream> {
    let asked = 0;
    const server = createServer((request, response) => {
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      answer(request, response, ++asked);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SampleUpstream(server);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** The configuration that stands in front of it. */
export function sampleConfig(upstream: string): string {
  return `premier:
  servers: [${upstream}]
  paths:
    - pattern: /time
      features: { cache: { expire_s: 10 } }
    - pattern: /limited
      features: { rate_limit: { quota: 3, duration: 10 } }
    - pattern: /flaky
      features: { retry: { max_attempts: 3, wait: 0.1 } }
    - pattern: /slow
      features: { timeout: 1 }
    - pattern: /broken
      features: { circuit_breaker: { failure_threshold: 3, recovery_timeout: 10 } }
`;
}

/** What to do with it, for a person at a terminal. */
export function sampleTrials(url: string): string {
  const curl = `curl -s -w ' %{http_code}\\n'`;
  return `Things to try in another terminal:

# The time, cached for ten seconds
for n in 1 2; do ${curl} ${url}/time; done

# Four requests, and the quota is three in ten seconds: 429
for n in 1 2 3 4; do ${curl} ${url}/limited; done

# Fails every second time, and is tried again
for n in 1 2 3; do ${curl} ${url}/flaky; done

# Takes three seconds, and may take one: 504
${curl} ${url}/slow

# Always fails: after three times the circuit is open, and nobody asks: 503
for n in 1 2 3 4; do ${curl} ${url}/broken; done

# Whatever is sent comes back; events come one a second
${curl} -d 'hello' ${url}/echo
curl -sN ${url}/events
`;
}

function answer(request: IncomingMessage, response: ServerResponse, asked: number): void {
  const path = (request.url ?? '/').split('?')[0] as string;
  switch (path) {
    case '/':
      return json(response, 200, {
        hello: 'from the sample upstream',
        paths: ['/time', '/limited', '/flaky', '/slow', '/broken', '/echo', '/events'],
      });
    case '/time':
      return json(response, 200, { time: new Date().toISOString() });
    case '/limited':
      return json(response, 200, { asked });
    case '/flaky':
      return json(response, asked % 2 === 0 ? 200 : 503, { asked });
    case '/broken':
      return json(response, 500, { asked });
    case '/slow':
      return later(response, 3000, () => json(response, 200, { slow: true }));
    case '/events':
      return events(response);
    case '/echo':
      return echo(request, response);
    default:
      return json(response, 404, { path });
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}

function later(response: ServerResponse, ms: number, action: () => void): void {
  const timer = setTimeout(action, ms);
  response.once('close', () => clearTimeout(timer));
}

/** Server-sent events, until the client leaves. */
function events(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let count = 0;
  const send = (): void => void response.write(`id: ${++count}\ndata: ${JSON.stringify({ count })}\n\n`);
  send();
  const timer = setInterval(send, 1000);
  response.once('close', () => clearInterval(timer));
}

/** The request's own words, as they come: nothing is kept. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'text/plain', 'x-method': request.method ?? '' });
  request.pipe(response);
  request.once('close', () => response.end());
}
