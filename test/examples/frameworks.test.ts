import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { before, describe, test, type TestContext } from 'node:test';

/** What the service behind an example says: to a path, with a status. Nothing means that it never answers. */
type Service = (path: string) => readonly [status: number, body: object] | undefined;

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface Running {
  /** The paths that the service was asked for. */
  readonly asked: readonly string[];
  get(path: string): Promise<Reply>;
  post(path: string, body: object): Promise<Reply>;
  /** Asks a service that is told to stop, and tells how its process ended. */
  stop(): Promise<readonly [code: number | null, signal: string | null, errors: string]>;
}

/** Starts an example as its first lines say, in front of a service of the test's own. */
async function start(t: TestContext, example: string, variable: string, service: Service): Promise<Running> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url as string;
    asked.push(path);
    const said = service(path);
    if (said !== undefined) response.writeHead(said[0], { 'content-type': 'application/json' }).end(JSON.stringify(said[1]));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const env = { ...process.env, PORT: '0', REDIS_URL: '', [variable]: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const child = spawn(process.execPath, [`.build/examples/${example}/main.js`], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  const lines = createInterface(child.stdout);
  const [url] = (await Promise.race([
    once(lines, 'line'),
    ended.then(() => Promise.reject(new Error(`${example} did not start: ${errors}`))),
  ])) as [string];
  const send = async (path: string, init?: RequestInit): Promise<Reply> => {
    const response = await fetch(url + path, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return {
    asked,
    get: (path) => send(path),
    post: (path, body) => send(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    async stop() {
      child.kill('SIGTERM');
      return [...(await ended), errors];
    },
  };
}

const statuses = async (count: number, call: () => Promise<Reply>): Promise<number[]> => {
  const found: number[] = [];
  for (let i = 0; i < count; i++) found.push((await call()).status);
  return found;
};

const left = [0, null, ''] as const;

describe('the examples for frameworks', () => {
  before(() => {
    for (const example of ['express', 'fastify', 'hono', 'nestjs'])
      execFileSync('node_modules/.bin/tsc', ['-p', `docs/examples/${example}`], { stdio: 'inherit' });
  });

  describe('Express: the weather', () => {
    const weather: Service = () => [200, { current: { temperature_2m: 21.5, time: '2030-01-01T00:00' } }];

    test('is asked for once a minute, limits alerts, and leaves in good order', async (t) => {
      const { get, post, stop, asked } = await start(t, 'express', 'WEATHER_URL', weather);
      const [first, second] = [await get('/weather/52.5/13.4'), await get('/weather/52.5/13.4')];
      assert.deepEqual([first.status, JSON.parse(first.text)], [200, { celsius: 21.5, time: '2030-01-01T00:00' }]);
      assert.deepEqual([first.headers.get('x-cache'), second.headers.get('x-cache')], ['MISS', 'HIT']);
      assert.deepEqual(asked, ['/v1/forecast?latitude=52.5&longitude=13.4&current=temperature_2m']);
      assert.equal((await get('/weather/91/0')).status, 400);
      const alert = { when: 'rain' };
      assert.deepEqual(await statuses(2, () => post('/alerts', alert)), [201, 201]);
      const refused = await post('/alerts', alert);
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '10']);
      assert.equal((await get('/health')).text, '{"status":"healthy","open":[]}');
      assert.deepEqual(await stop(), left);
    });

    test('that fails is tried again, then let rest, and clients are told when to come back', async (t) => {
      const { get, stop, asked } = await start(t, 'express', 'WEATHER_URL', () => [503, {}]);
      let place = 0;
      assert.deepEqual(await statuses(3, () => get(`/weather/1/${place++}`)), [502, 502, 502]);
      assert.equal(asked.length, 6);
      const refused = await get('/weather/1/9');
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '30']);
      assert.equal((await get('/health')).text, '{"status":"degraded","open":["Forecasts.now"]}');
      assert.equal(asked.length, 6);
      assert.deepEqual(await stop(), left);
    });
  });

  describe('Fastify: currencies', () => {
    const bank: Service = (path) =>
      path === '/v1/latest?base=EUR' ? [200, { base: 'EUR', date: '2030-01-01', rates: { USD: 2 } }] : [404, {}];

    test('stand behind a gateway that keeps rates, with a limit of their own on conversions', async (t) => {
      const { get, stop, asked } = await start(t, 'fastify', 'RATES_URL', bank);
      const [first, second] = [await get('/rates/EUR'), await get('/rates/EUR')];
      assert.deepEqual([first.status, first.headers.get('x-cache'), second.headers.get('x-cache')], [200, 'MISS', 'HIT']);
      assert.equal(second.headers.get('x-ratelimit-limit'), '100');
      const convert = (): Promise<Reply> => get('/convert?amount=10&from=EUR&to=USD');
      assert.equal((await convert()).text, '{"amount":20,"date":"2030-01-01"}');
      assert.deepEqual(await statuses(3, convert), [200, 200, 429]);
      assert.deepEqual(asked, ['/v1/latest?base=EUR']);
      assert.deepEqual([(await get('/rates/XXX')).status, (await get('/rates/euro')).status], [404, 400]);
      assert.equal((await get('/health')).status, 200);
      assert.match((await get('/metrics')).text, /^http_requests_total\{method="GET",endpoint="\/rates\/\*",status="200"\} 2$/m);
      assert.deepEqual(await stop(), left);
    });

    test('are 504 when the bank never answers', async (t) => {
      const { get, stop } = await start(t, 'fastify', 'RATES_URL', () => undefined);
      assert.equal((await get('/rates/EUR')).status, 504);
      assert.deepEqual(await stop(), left);
    });
  });

  describe('Hono: stars', () => {
    test('are limited, and badges are kept', async (t) => {
      const service: Service = (path) => (path === '/repos/honojs/hono' ? [200, { stargazers_count: 7 }] : [404, {}]);
      const { get, stop, asked } = await start(t, 'hono', 'GITHUB_URL', service);
      const [first, second] = [await get('/badge/honojs/hono'), await get('/badge/honojs/hono')];
      assert.match(first.text, /★ 7</);
      assert.deepEqual([first.headers.get('x-cache'), second.headers.get('x-cache')], ['MISS', 'HIT']);
      assert.equal((await get('/stars/nobody/nothing')).status, 404);
      assert.deepEqual(await statuses(3, () => get('/stars/honojs/hono')), [200, 200, 429]);
      assert.deepEqual(asked, ['/repos/honojs/hono', '/repos/nobody/nothing']);
      assert.equal((await get('/health')).text, '{"status":"healthy","open":[]}');
      assert.deepEqual(await stop(), left);
    });

    test('that cannot be had are 500 with no word of why, and 503 once the circuit is open', async (t) => {
      const { get, stop } = await start(t, 'hono', 'GITHUB_URL', () => [500, {}]);
      let repo = 0;
      const found = [];
      for (let i = 0; i < 4; i++) found.push(await get(`/badge/a/${repo++}`));
      assert.deepEqual(
        found.map(({ status }) => status),
        [500, 500, 500, 503],
      );
      assert.equal(found[0]?.text, '{"error":{"message":"something went wrong here"}}');
      const [code, signal, errors] = await stop();
      assert.deepEqual([code, signal], [0, null]);
      assert.match(errors, /GitHub answered 500/);
    });
  });

  describe('NestJS: a shop', () => {
    const [known, slow] = ['9780141439518', '9780000000002'];
    const service: Service = (path) => {
      if (path === `/isbn/${known}.json`) return [200, { title: 'Emma', number_of_pages: 474 }];
      return path === `/isbn/${slow}.json` ? undefined : [404, {}];
    };

    test('keeps books, and limits orders', async (t) => {
      const { get, post, stop, asked } = await start(t, 'nestjs', 'LIBRARY_URL', service);
      const [first, second] = [await get(`/books/${known}`), await get(`/books/${known}`)];
      assert.deepEqual([first.status, JSON.parse(first.text)], [200, { title: 'Emma', pages: 474 }]);
      assert.deepEqual([first.headers.get('x-cache'), second.headers.get('x-cache')], ['MISS', 'HIT']);
      assert.equal(second.headers.get('x-ratelimit-remaining'), '98');
      assert.deepEqual([(await get('/books/9780000000000')).status, (await get('/books/emma')).status], [404, 404]);
      const order = (isbn: string): Promise<Reply> => post('/orders', { isbn });
      assert.deepEqual([(await order(known)).status, (await order('')).status], [201, 422]);
      const refused = await order(known);
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '10']);
      assert.deepEqual(asked, [`/isbn/${known}.json`, '/isbn/9780000000000.json']);
      assert.equal((await get('/health')).status, 200);
      assert.deepEqual(await stop(), left);
    });

    test('answers 504 while the library is slow, 503 while it rests, and is not well then', async (t) => {
      const { get, stop } = await start(t, 'nestjs', 'LIBRARY_URL', service);
      assert.deepEqual(await statuses(3, () => get(`/books/${slow}`)), [504, 504, 504]);
      const refused = await get(`/books/${slow}`);
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '30']);
      const health = await get('/health');
      assert.deepEqual([health.status, /"name":"library"/.test(health.text)], [503, true]);
      const [code, signal] = await stop();
      assert.deepEqual([code, signal], [0, null]);
    });
  });
});
