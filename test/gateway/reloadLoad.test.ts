import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request, type RequestListener } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, test, type TestContext } from 'node:test';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import type { CreateOptions } from '../../src/gateway/createOptions.js';
import type { Gateway } from '../../src/gateway/gateway.js';
import { openGateway, send, startUpstream, until } from '../support/gateways.js';

const silent = { log: { level: 'silent' } } as const;

/** Answers what it was sent, and its whole body only after a turn of the event loop. */
const echo: RequestListener = (sent, response) => {
  sent.resume();
  response.write(`${sent.url} `);
  setImmediate(() => response.end('whole'));
};

/** Clients that ask again and again, each on its own connection, until they are told to stop. */
class Clients {
  answers = 0;
  readonly wrong: string[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  #stopped = false;

  async run(url: string, count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, i) => this.#client(`${url}/${i}`, `/${i} whole`)));
    this.#agent.destroy();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #client(url: string, wanted: string): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      try {
        const asked = request(url, { agent: this.#agent, method: i % 2 === 0 ? 'GET' : 'POST' }).end(i % 2 === 0 ? undefined : 'body');
        const [answer] = (await once(asked, 'response')) as [IncomingMessage];
        let body = '';
        for await (const chunk of answer.setEncoding('utf8')) body += chunk as string;
        if (answer.statusCode !== 200 || body !== wanted) this.wrong.push(`${answer.statusCode} ${body}`);
      } catch (error) {
        this.wrong.push(String(error));
      }
      this.answers++;
    }
  }
}

async function underLoad(t: TestContext, configs: readonly GatewayOptions[], options: CreateOptions = {}): Promise<Gateway> {
  const { gateway, url } = await openGateway(t, configs[0] as GatewayOptions, options);
  const clients = new Clients();
  const done = clients.run(url, 50);
  for (let i = 1; i <= 20; i++) {
    const before = clients.answers;
    await until(() => clients.answers >= before + 50);
    await gateway.reload({ ...silent, ...configs[i % configs.length] });
  }
  clients.stop();
  await done;
  assert.deepEqual(clients.wrong, []);
  assert.match(await gateway.metrics.text(), /config_reloads_total\{result="success"\} 20/);
  return gateway;
}

describe('reloads while 50 clients ask', { timeout: 180_000 }, () => {
  const features = { rate_limit: { quota: 1_000_000, duration: 60 }, timeout: 60, circuit_breaker: {} };

  test('fail no request to a server: paths change, and pools', async (t) => {
    const [one, two] = [await startUpstream(t, echo), await startUpstream(t, echo)];
    const connections = new Set<unknown>();
    for (const { server } of [one, two])
      server.on('connection', (socket) => {
        connections.add(socket);
        socket.once('close', () => connections.delete(socket));
      });
    const gateway = await underLoad(t, [
      { servers: [one.url], paths: [{ pattern: '/*', features }] },
      { servers: [one.url], paths: [{ pattern: '/*' }] },
      {
        servers: [two.url, one.url],
        paths: [
          { pattern: '/1*', features },
          { pattern: '/*', features: { retry: {} } },
        ],
      },
      { upstreams: { u: { servers: [two.url] } }, paths: [{ pattern: '/*', upstream: 'u', features }] },
    ]);
    await gateway.close();
    await until(() => connections.size === 0);
  });

  test('fail no request to an app', async (t) => {
    const app: RequestListener = echo;
    await underLoad(t, [{ paths: [{ pattern: '/*', features }] }, {}, { default_features: { timeout: 60 } }], { app });
  });
});

describe('what reloads leave behind', { timeout: 180_000 }, () => {
  test('is nothing: 200 of them keep neither generations nor pools nor circuits', async (t) => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const upstream = await startUpstream(t, echo);
    // Each has a path that stays, one whose rules change, one whose name changes, and a pool of its own.
    const config = (i: number): GatewayOptions => ({
      servers: [upstream.url],
      upstreams: {
        own: { servers: [{ url: upstream.url, weight: (i % 100) + 1 }], health: { path: '/health', interval: 600 }, circuit_breaker: {} },
      },
      paths: [
        {
          pattern: '/same',
          features: { mirror: { upstream: 'own', percent: 1 }, cache: { expire_s: 10 }, retry: {}, hedge: { after: 5 } },
        },
        {
          pattern: '/changed',
          upstream: 'own',
          features: {
            rate_limit: { quota: 1000, duration: (i % 10) + 1 },
            circuit_breaker: { recovery_timeout: i + 1 },
            cors: { origins: ['*'] },
            timeout: i + 1,
            mirror: { upstream: 'own', percent: 1 },
            bulkhead: { max_concurrent: 5 },
            fallback: { status: 200, body: {} },
            websocket: { max_connections: 5 },
          },
        },
        { pattern: `/name/${i}`, upstream: 'own', features: { circuit_breaker: {} } },
      ],
    });
    const { gateway, url } = await openGateway(t, config(0));
    const generations: WeakRef<object>[] = [];
    const pipelines: WeakRef<object>[] = [];
    for (let i = 1; i <= 200; i++) {
      generations.push(new WeakRef(gateway.generation));
      pipelines.push(...gateway.generation.pipelines.slice(1, 3).map((pipeline) => new WeakRef(pipeline)));
      if (i % 20 === 0) for (const path of ['/same', '/changed', `/name/${i - 1}`]) assert.equal((await send(url + path)).status, 200);
      await gateway.reload({ ...silent, ...config(i) });
    }
    // What an ended request holds is let go of within a few turns.
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    const alive = (refs: readonly WeakRef<object>[]): number => refs.filter((ref) => ref.deref() !== undefined).length;
    assert.ok(alive(generations) <= 2, `${alive(generations)} generations are alive`);
    assert.ok(alive(pipelines) <= 4, `${alive(pipelines)} pipelines are alive`);
    const metrics = await gateway.metrics.text();
    assert.equal(metrics.match(/^upstream_up\{/gm)?.length, 2);
    assert.equal(metrics.match(/^circuit_breaker_state\{/gm)?.length, 3);
  });
});
