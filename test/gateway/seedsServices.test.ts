import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, test, type TestContext } from 'node:test';
import { createGateway, type Gateway, GatewayConfig } from '../../src/gateway/index.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { send, startUpstream, until } from '../support/gateways.js';
import { lint } from '../support/promtool.js';
import { type Line, linesOf } from './goldenApps/documents.js';

/** The environment of the third document, but for addresses that are not here. */
const documentedEnv = {
  RATE_LIMIT_PER_MINUTE: '60',
  RATE_LIMIT_PER_HOUR: '1000',
  CIRCUIT_BREAKER_FAILURE_THRESHOLD: '5',
  CIRCUIT_BREAKER_TIMEOUT: '60',
  LOG_LEVEL: 'INFO',
  LOG_JSON: 'true',
};

const services = {
  RECOMMENDATION: 'recommendations',
  SEARCH: 'search',
  PRICING: 'pricing',
  CHATBOT: 'chat',
  FRAUD: 'fraud',
  FORECAST: 'forecast',
  VISION: 'vision',
};

interface Opened {
  readonly gateway: Gateway;
  readonly url: string;
  readonly clock: FakeClock;
  readonly lines: () => readonly Line[];
  /** What the services got. */
  readonly asked: IncomingMessage[];
}

const recommendations = '/api/v1/recommendations/top';

async function opened(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => response.end('{}'),
): Promise<Opened> {
  const clock = new FakeClock(Date.parse('2025-11-27T10:30:00Z'));
  const asked: IncomingMessage[] = [];
  let text = '';
  const { url: upstream } = await startUpstream(t, (request, response) => {
    asked.push(request);
    answer(request, response);
  });
  const urls = Object.fromEntries(Object.keys(services).map((name) => [`${name}_SERVICE_URL`, upstream]));
  const config = GatewayConfig.fromEnv({ ...documentedEnv, ...urls, PREMIER_KEYSPACE: 'api_gateway' });
  const gateway = await createGateway(config, { clock, logger: { write: (line: string) => void (text += line) } });
  t.after(() => gateway.close({ grace: 0 }));
  return { gateway, clock, asked, lines: () => linesOf(text), ...(await gateway.listen({ port: 0 })) };
}

const json = (body: string): Record<string, Record<string, unknown>> => JSON.parse(body) as Record<string, Record<string, unknown>>;

describe('the gateway of the third document, made of its environment', () => {
  test('every service is asked below its path, with its own address in full', async (t) => {
    const { url, asked } = await opened(t);
    for (const name of Object.values(services)) {
      const { status } = await send(`${url}/api/v1/${name}/a?b=1`, { method: 'POST', body: '{}' });
      assert.equal(status, 200);
      assert.equal(asked.at(-1)?.url, `/api/v1/${name}/a?b=1`);
    }
    assert.equal((await send(`${url}/api/v1/unknown/a`)).status, 404);
  });

  test('60 a minute and 1000 an hour are told in its headers', async (t) => {
    const { url, clock } = await opened(t);
    const now = clock.now() / 1000;
    const first = (await send(`${url}${recommendations}`)).headers;
    const told = Object.fromEntries(Object.entries(first).filter(([name]) => /^x-ratelimit-.*-(minute|hour)$/.test(name)));
    assert.deepEqual(told, {
      'x-ratelimit-limit-minute': '60',
      'x-ratelimit-remaining-minute': '59',
      'x-ratelimit-reset-minute': String(now + 60),
      'x-ratelimit-limit-hour': '1000',
      'x-ratelimit-remaining-hour': '999',
      'x-ratelimit-reset-hour': String(now + 3600),
    });
    for (let i = 1; i < 60; i++) assert.equal((await send(`${url}${recommendations}`)).status, 200);
    await clock.advance(18);
    const refused = await send(`${url}${recommendations}`);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers['retry-after'], '42');
    assert.equal(refused.headers['x-ratelimit-remaining-minute'], '0');
    assert.equal(refused.headers['x-ratelimit-remaining-hour'], '940', 'what is refused spends nothing of the hour');
    await clock.advance(42);
    assert.equal((await send(`${url}${recommendations}`)).status, 200);
  });

  test('a correlation id is taken, made where there is none, and sent up, down and into the log', async (t) => {
    const { url, asked, lines } = await opened(t);
    const given = await send(`${url}${recommendations}?secret=1`, {
      method: 'POST',
      headers: { 'X-Correlation-ID': 'abc-123-def' },
      body: '{}',
    });
    assert.equal(given.headers['x-correlation-id'], 'abc-123-def');
    assert.equal(asked[0]?.headers['x-correlation-id'], 'abc-123-def');
    const made = await send(`${url}${recommendations}`);
    const id = made.headers['x-correlation-id'] as string;
    assert.ok(id.length >= 16);
    assert.equal(asked[1]?.headers['x-correlation-id'], id);
    const forged = await send(`${url}${recommendations}`, { headers: { 'X-Correlation-ID': 'a b"<x>' } });
    assert.notEqual(forged.headers['x-correlation-id'], 'a b"<x>');
    await until(() => lines().length >= 3);
    const line = lines().find(({ correlation_id: each }) => each === 'abc-123-def');
    const { timestamp, level, message, method, path, status_code: status, duration_ms: duration } = line as Line;
    assert.deepEqual(
      [timestamp, level, message, method, path, status],
      ['2025-11-27T10:30:00.000Z', 'INFO', 'Request completed', 'POST', recommendations, 200],
    );
    assert.equal(typeof duration, 'number');
  });

  test('health tells its four fields', async (t) => {
    const { url } = await opened(t);
    const { status, body, headers } = await send(`${url}/health`);
    assert.equal(status, 200);
    assert.match(headers['content-type'] ?? '', /^application\/json/);
    const { checks, ...rest } = json(body);
    assert.deepEqual(rest, { status: 'healthy', timestamp: '2025-11-27T10:30:00.000Z', service: 'api_gateway' });
    assert.deepEqual((checks as { upstreams: Record<string, string> }).upstreams['recommendation-service'], 'ok');
  });

  test('a failing service opens its circuit alone, which is listed, measured and reset by its name', async (t) => {
    const { url, clock, asked, gateway } = await opened(t, (request, response) => {
      response.statusCode = request.url?.startsWith('/api/v1/recommendations/') === true ? 500 : 200;
      response.end('secret of the app');
    });
    const listed = async (): Promise<Record<string, Record<string, unknown>>> => json((await send(`${url}/circuit-breakers`)).body);
    const metric = async (): Promise<string | undefined> =>
      (await send(`${url}/metrics`)).body
        .split('\n')
        .find((line) => line.startsWith('circuit_breaker_state{') && line.includes('recommendation'));
    await send(`${url}/api/v1/search/a`, { method: 'POST', body: '{}' });
    for (let i = 0; i < 5; i++) {
      const { status, body } = await send(`${url}${recommendations}`, { method: 'POST', body: '{}' });
      assert.deepEqual([status, body], [500, 'secret of the app'], "a service's own error passes unchanged");
    }
    const before = asked.length;
    const refused = await send(`${url}${recommendations}`, { method: 'POST', body: '{}', headers: { 'X-Correlation-ID': 'abc-123' } });
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '60');
    assert.deepEqual(json(refused.body)['error'], {
      type: 'service_unavailable',
      message: json(refused.body)['error']?.['message'],
      correlation_id: 'abc-123',
    });
    assert.equal(asked.length, before);
    const name = Object.keys(await listed()).find((each) => each.includes('recommendation')) as string;
    const {
      state,
      failure_count: failures,
      recent_failures: recent,
      total_calls: total,
    } = (await listed())[name] as Record<string, unknown>;
    assert.deepEqual([state, failures, recent, total], ['open', 5, 5, 5]);
    assert.equal(await metric(), `circuit_breaker_state{service="${name}"} 2`);
    const other = Object.entries(await listed()).find(([each]) => each.includes('search'));
    assert.equal(other?.[1]['state'], 'closed');
    const reset = `${url}/circuit-breakers/${encodeURIComponent(name)}/reset`;
    assert.equal((await send(reset, { method: 'POST' })).status, 401);
    assert.equal((await listed())[name]?.['state'], 'open');
    const authorization = `Bearer ${gateway.adminToken}`;
    assert.equal((await send(reset, { method: 'POST', headers: { authorization } })).status, 200);
    assert.deepEqual(((await listed())[name] as Record<string, unknown>)['state'], 'closed');
    assert.equal(await metric(), `circuit_breaker_state{service="${name}"} 0`);
    assert.equal((await send(`${url}${recommendations}`, { method: 'POST', body: '{}' })).status, 500);
    await clock.advance(60);
  });
});

describe('metrics', () => {
  test('every name of the contract is there with its labels, patterns in place of paths, and promtool likes it', async (t) => {
    let broken = false;
    const { url: upstream } = await startUpstream(t, (_request, response) => {
      response.statusCode = broken ? 503 : 200;
      response.end('x');
    });
    const features = {
      rate_limit: { quota: 3, duration: 60 },
      cache: { expire_s: 60 },
      retry: { max_attempts: 2, wait: 0.001 },
      circuit_breaker: {},
    };
    const gateway = await createGateway(
      {
        log: { level: 'silent' },
        upstreams: { users: { servers: [upstream] } },
        paths: [{ pattern: '/api/users/*', upstream: 'users', features }],
      },
      {},
    );
    t.after(() => gateway.close({ grace: 0 }));
    const { url } = await gateway.listen({ port: 0 });
    await send(`${url}/api/users/1`);
    await send(`${url}/api/users/1`);
    broken = true;
    await send(`${url}/api/users/secret-2`);
    await send(`${url}/api/users/3`);
    await send(`${url}/nowhere`);
    await gateway.reload();
    await assert.rejects(gateway.reload({ servers: ['nonsense'] }));
    const { body, headers } = await send(`${url}/metrics`);
    assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
    const expected = [
      'http_requests_total{method="GET",endpoint="/api/users/*",status="200"} 2',
      'http_requests_total{method="GET",endpoint="/api/users/*",status="503"} 1',
      'http_requests_total{method="GET",endpoint="/api/users/*",status="429"} 1',
      'http_request_duration_seconds_count{method="GET",endpoint="/api/users/*"} 4',
      'http_request_duration_seconds_bucket{method="GET",endpoint="/api/users/*",le="+Inf"} 4',
      'http_request_errors_total{method="GET",endpoint="/api/users/*",status="503"} 1',
      'circuit_breaker_state{service="/api/users/*"} 0',
      'rate_limit_exceeded_total{endpoint="/api/users/*"} 1',
      'cache_requests_total{endpoint="/api/users/*",result="hit"} 1',
      'cache_requests_total{endpoint="/api/users/*",result="miss"} 2',
      'retries_total{endpoint="/api/users/*"} 1',
      `upstream_up{upstream="users",server="${upstream}"} 1`,
      'config_reloads_total{result="success"} 1',
      'config_reloads_total{result="failure"} 1',
      '# TYPE websocket_connections gauge',
      'gateway_requests_total{service="users",method="GET",status="200"} 2',
      'gateway_request_latency_seconds_count{service="users"} 4',
    ];
    const lines = new Set(body.split('\n'));
    assert.deepEqual(
      expected.filter((line) => !lines.has(line)),
      [],
      body.replace(/^(process|nodejs)_.*\n|^#.*\n/gm, ''),
    );
    assert.doesNotMatch(body, /secret|nowhere/);
    assert.equal(lint(body), '');
  });
});
