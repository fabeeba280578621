import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Premier } from '../../src/index.js';
import { adminListenerOf } from '../../src/gateway/own/adminListener.js';
import { AdminAccess, type AdminToken } from '../../src/gateway/own/adminAccess.js';
import { type Check, Health, storeCheck, upstreamsCheck } from '../../src/gateway/own/health.js';
import { ownPaths } from '../../src/gateway/own/ownPaths.js';
import { type Answer, Exchange } from '../../src/http/exchange.js';
import { headerOf, type RawHeaders } from '../../src/http/headers.js';
import type { Breakers } from '../../src/policies/breakers.js';
import type { Provider } from '../../src/core/provider.js';
import { FakeClock } from '../../src/testing/fakeClock.js';

interface Asked {
  readonly headers?: RawHeaders;
  readonly host?: string;
  readonly client?: string;
  readonly peer?: string;
}
const exchange = (method: string, path: string, asked: Asked = {}): Exchange =>
  new Exchange({
    method,
    path,
    query: '',
    host: asked.host ?? 'localhost:8000',
    scheme: 'http',
    client: asked.client ?? '127.0.0.1',
    peer: asked.peer ?? '127.0.0.1',
    trusted: false,
    headers: asked.headers ?? [],
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
  });

/** A gateway's own paths, around a circuit named /api/users/* that is open. */
async function paths(tokens: readonly AdminToken[] = [], checks: Readonly<Record<string, Check>> = {}) {
  const clock = new FakeClock(Date.parse('2025-11-27T10:30:00Z'));
  const premier = new Premier({ clock });
  const broken = premier.circuitBreaker({ name: '/api/users/*', failureThreshold: 2 })(() => Promise.reject(new Error('down')));
  for (let i = 0; i < 2; i++) await assert.rejects(broken());
  const state = { draining: false };
  const audited: unknown[] = [];
  const access = new AdminAccess(tokens);
  const own = ownPaths({
    access,
    breakers: (): Breakers => premier.breakers,
    audit: (message, fields) => void audited.push([message, fields['circuit'], fields['role']]),
    health: new Health({ service: 'my-api', clock, draining: () => state.draining, checks }),
    metrics: { contentType: 'text/plain; version=0.0.4', text: () => Promise.resolve('up 1\n') },
  });
  const ask = async (method: string, path: string, asked?: Asked): Promise<Answer> => {
    const answer = await own(exchange(method, path, asked));
    assert.ok(answer, `${path} is not taken`);
    return answer;
  };
  return { own, ask, premier, access, audited, state, clock };
}
const json = ({ body }: Answer): unknown => JSON.parse(Buffer.from(body as Uint8Array).toString());
const bearer = (token: string): RawHeaders => ['Authorization', `Bearer ${token}`];
const resetPath = `/circuit-breakers/${encodeURIComponent('/api/users/*')}/reset`;

describe('own paths', () => {
  test('every other path is left to the routes, to the letter', async () => {
    const { own } = await paths();
    for (const path of [
      '/',
      '/health/',
      '/healthz',
      '/Health',
      '/metrics/x',
      '/circuit-breakers/',
      '/circuit-breakers/x',
      '/circuit-breakers//reset',
      '/admin/x',
    ])
      assert.equal(own(exchange('GET', path)), undefined, path);
  });

  test('what is only read takes GET and HEAD, a HEAD has the head of a GET, and nothing is kept', async () => {
    const { ask } = await paths();
    for (const path of ['/health', '/metrics', '/circuit-breakers']) {
      const get = await ask('GET', path);
      const head = await ask('HEAD', path);
      assert.deepEqual([get.status, head.status, head.body], [200, 200, undefined]);
      assert.equal(headerOf(head.headers, 'content-length'), String((get.body as Uint8Array).length));
      assert.equal(headerOf(get.headers, 'cache-control'), 'no-store');
      const post = await ask('POST', path);
      assert.deepEqual([post.status, headerOf(post.headers, 'allow')], [405, 'GET, HEAD']);
    }
    assert.equal((await ask('GET', resetPath)).status, 405);
  });

  test('they are labelled by their own pattern', async () => {
    const { own } = await paths();
    for (const [path, pattern] of [
      ['/health', '/health'],
      [resetPath, '/circuit-breakers/*/reset'],
    ] as const) {
      const asked = exchange('GET', path);
      await own(asked);
      assert.equal(asked.pattern, pattern);
    }
  });

  test('health says how things are, and 503 while draining', async () => {
    const { ask, state } = await paths([], { redis: () => 'ok' });
    const answer = await ask('GET', '/health');
    assert.deepEqual(json(answer), {
      status: 'healthy',
      timestamp: '2025-11-27T10:30:00.000Z',
      service: 'my-api',
      checks: { redis: 'ok' },
    });
    state.draining = true;
    const draining = await ask('GET', '/health');
    assert.deepEqual([draining.status, (json(draining) as { status: string }).status], [503, 'draining']);
  });

  test('a store that fails or never answers makes it degraded, and never hangs it', async () => {
    const failing = { has: () => Promise.reject(new Error('gone')) } as unknown as Provider;
    const { ask } = await paths([], { redis: storeCheck(failing, 'k') });
    const answer = await ask('GET', '/health');
    assert.deepEqual([answer.status, (json(answer) as { status: string }).status], [200, 'degraded']);

    const silent = { has: () => new Promise<boolean>(() => undefined) } as unknown as Provider;
    const hung = await paths([], { redis: storeCheck(silent, 'k') });
    const waiting = hung.ask('GET', '/health');
    await hung.clock.advance(1000);
    assert.deepEqual((json(await waiting) as { checks: unknown }).checks, { redis: 'down' });
    assert.equal(hung.clock.timers, 0);
  });

  test('one pool without a server makes it degraded', async () => {
    const server = (up: boolean) => ({ url: 'http://b', up, active: 0, requests: 0, failures: 0 });
    const of = async (...ups: boolean[]): Promise<unknown[]> => {
      const { ask } = await paths([], { upstreams: upstreamsCheck(() => [{ name: 'users', servers: ups.map(server) }]) });
      const { status, checks } = json(await ask('GET', '/health')) as { status: string; checks: unknown };
      return [status, checks];
    };
    assert.deepEqual(await of(false, true), ['healthy', { upstreams: { users: 'ok' } }]);
    assert.deepEqual(await of(false, false), ['degraded', { upstreams: { users: 'down' } }]);
  });

  test('however often health is asked for, the checks run once a second', async () => {
    let runs = 0;
    const { ask, clock } = await paths([], { redis: () => (runs++, 'ok') });
    await Promise.all([ask('GET', '/health'), ask('GET', '/health')]);
    await ask('GET', '/health');
    assert.equal(runs, 1);
    await clock.advance(1000);
    await ask('GET', '/health');
    assert.equal(runs, 2);
  });

  test('metrics come with their content type', async () => {
    const { ask } = await paths();
    const answer = await ask('GET', '/metrics');
    assert.equal(headerOf(answer.headers, 'content-type'), 'text/plain; version=0.0.4');
    assert.equal(Buffer.from(answer.body as Uint8Array).toString(), 'up 1\n');
  });

  test('circuits are listed by name with the agreed numbers', async () => {
    const { ask } = await paths();
    const listed = json(await ask('GET', '/circuit-breakers')) as Record<string, Record<string, unknown>>;
    const { state, total_calls } = listed['/api/users/*'] ?? {};
    assert.deepEqual({ state, total_calls }, { state: 'open', total_calls: 2 });
    assert.deepEqual(Object.keys(listed['/api/users/*'] ?? {}).slice(0, 3), ['state', 'failure_count', 'recent_failures']);
  });
});

describe('resetting a circuit', () => {
  const tokens: readonly AdminToken[] = [
    { token: 'view', role: 'viewer' },
    { token: 'rule', role: 'admin' },
  ];

  test('an admin may, by the encoded name and by the plain one, and it is written down', async () => {
    for (const path of [resetPath, '/circuit-breakers/api/users/*/reset', '/circuit-breakers/%2fapi%2Fusers%2F%2A/reset']) {
      const { ask, premier, audited } = await paths(tokens);
      const answer = await ask('POST', path, { headers: bearer('rule'), host: 'api.example.com', peer: '10.0.0.9', client: '10.0.0.9' });
      assert.deepEqual([answer.status, json(answer)], [200, { circuit: '/api/users/*', state: 'closed' }]);
      assert.equal(premier.breakers[0]?.state, 'closed');
      assert.deepEqual(audited, [['Circuit reset', '/api/users/*', 'admin']]);
    }
  });

  test('nobody else may: 401 without a token, 403 for a viewer', async () => {
    const { ask, premier, audited } = await paths(tokens);
    for (const headers of [[], bearer('wrong'), bearer(''), ['Authorization', 'Basic cnVsZQ=='], ['Authorization', 'rule']]) {
      const answer = await ask('POST', resetPath, { headers });
      assert.deepEqual([answer.status, headerOf(answer.headers, 'www-authenticate')], [401, 'Bearer realm="premier"']);
      assert.equal((json(answer) as { error: { type: string } }).error.type, 'unauthorized');
    }
    assert.equal((await ask('POST', resetPath, { headers: bearer('view') })).status, 403);
    assert.equal(premier.breakers[0]?.state, 'open');
    assert.deepEqual(audited, []);
  });

  test('a page of another site may not, even with a token', async () => {
    const { ask } = await paths(tokens);
    const from = async (...headers: string[]): Promise<number> =>
      (await ask('POST', resetPath, { headers: [...bearer('rule'), ...headers] })).status;
    for (const origin of ['https://evil.test', 'null', 'http://localhost:8000.evil.test', 'http://localhost', 'http://x@localhost:8000'])
      assert.equal(await from('Origin', origin), 403, origin);
    assert.equal(await from('Sec-Fetch-Site', 'cross-site'), 403);
    assert.equal(await from('Origin', 'http://localhost:8000', 'Sec-Fetch-Site', 'same-origin'), 200);
  });

  test('a circuit that is not there is 404, and only an admin learns that', async () => {
    const { ask } = await paths(tokens);
    for (const name of ['nope', '%E0%A4%A', '__proto__']) {
      assert.equal((await ask('POST', `/circuit-breakers/${name}/reset`, { headers: bearer('rule') })).status, 404, name);
      assert.equal((await ask('POST', `/circuit-breakers/${name}/reset`)).status, 401);
    }
  });

  test('without configured tokens a generated one counts, on this machine alone and under its own names', async () => {
    const { ask, access } = await paths();
    const token = access.generatedToken ?? '';
    assert.match(token, /^[0-9a-f]{48}$/);
    assert.notEqual(token, new AdminAccess([]).generatedToken);
    assert.equal(new AdminAccess(tokens).generatedToken, undefined);
    const status = async (asked: Asked): Promise<number> => (await ask('POST', resetPath, { headers: bearer(token), ...asked })).status;
    assert.equal(await status({ peer: '10.0.0.9', client: '10.0.0.9' }), 401);
    assert.equal(await status({ peer: '127.0.0.1', client: '10.0.0.9' }), 401, 'behind a proxy of ours');
    assert.equal(await status({ host: 'rebound.evil.test' }), 401);
    assert.equal(await status({ host: '127.0.0.1.evil.test' }), 401);
    assert.equal(await status({ peer: '::1', client: '::1', host: '[::1]:8000' }), 200);
    assert.equal(await status({}), 200);
  });
});

describe('admin.listener', () => {
  test('is read in every usual form, and stays on this machine without a host', () => {
    assert.deepEqual(adminListenerOf('0.0.0.0:9000'), { host: '0.0.0.0', port: 9000 });
    assert.deepEqual(adminListenerOf('[::1]:9000'), { host: '::1', port: 9000 });
    for (const text of [':9000', '9000']) assert.deepEqual(adminListenerOf(text), { host: '127.0.0.1', port: 9000 });
    for (const text of ['', 'localhost', 'a:b', '1:65536', 'http://x:1', '::1:9000'])
      assert.throws(() => adminListenerOf(text), /admin\.listener/);
  });
});
