import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Events } from '../../src/core/events.js';
import { Exchange } from '../../src/http/exchange.js';
import { Metrics } from '../../src/observe/metrics.js';
import { lint } from '../support/promtool.js';

const exchange = (pattern: string, method: string = 'GET', cacheResult?: string): Exchange => {
  const made = new Exchange({
    method,
    path: '/api/users/1',
    query: '?secret=1',
    host: 'localhost',
    scheme: 'http',
    client: '10.0.0.1',
    peer: '10.0.0.1',
    trusted: false,
    headers: [],
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
  });
  made.pattern = pattern;
  made.cacheResult = cacheResult;
  return made;
};
const events = (): Events => new Events(() => 0);
const ask = (metrics: Metrics, ...[of, status, seconds, bytes, service]: Parameters<Metrics['request']>): void => {
  metrics.began();
  metrics.request(of, status, seconds, bytes, service);
};
/** The value of one sample, `undefined` where there is none. */
const valueOf = (text: string, sample: string): number | undefined => {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
};

describe('metrics', () => {
  test('requests are counted by method, pattern and status, whatever upstream they went to', async () => {
    const metrics = new Metrics({ events: events(), process: false });
    ask(metrics, exchange('/api/*'), 200, 0.001, 10, 'one');
    ask(metrics, exchange('/api/*'), 200, 0.2, 10, 'two');
    ask(metrics, exchange('/api/*', 'POST'), 502, 3, 5, 'two');
    const text = await metrics.text();
    assert.equal(valueOf(text, 'http_requests_total{method="GET",endpoint="/api/*",status="200"}'), 2);
    assert.equal(valueOf(text, 'http_requests_total{method="POST",endpoint="/api/*",status="502"}'), 1);
    assert.equal(valueOf(text, 'http_request_errors_total{method="POST",endpoint="/api/*",status="502"}'), 1);
    assert.doesNotMatch(text, /http_request_errors_total\{[^}]*status="200"/);
    assert.equal(valueOf(text, 'http_response_bytes_total{endpoint="/api/*"}'), 25);
    assert.equal(valueOf(text, 'gateway_requests_total{service="two",method="GET",status="200"}'), 1);
    assert.equal(valueOf(text, 'gateway_request_latency_seconds_count{service="two"}'), 2);
    assert.doesNotMatch(text, /secret|users\/1/);
  });

  test('the histogram is cumulative, its bounds belong to their buckets, and what is above all of them is counted', async () => {
    const metrics = new Metrics({ events: events(), process: false });
    for (const seconds of [0.001, 0.0011, 0.5, 60]) ask(metrics, exchange('/'), 200, seconds, 0);
    const text = await metrics.text();
    const bucket = (le: string): number | undefined =>
      valueOf(text, `http_request_duration_seconds_bucket{method="GET",endpoint="/",le="${le}"}`);
    assert.deepEqual([bucket('0.001'), bucket('0.0025'), bucket('0.25'), bucket('0.5'), bucket('10'), bucket('+Inf')], [1, 2, 2, 3, 3, 4]);
    assert.equal(valueOf(text, 'http_request_duration_seconds_count{method="GET",endpoint="/"}'), 4);
    assert.ok(Math.abs((valueOf(text, 'http_request_duration_seconds_sum{method="GET",endpoint="/"}') ?? 0) - 60.5021) < 1e-9);
  });

  test('a client cannot make labels: unknown methods share one', async () => {
    const metrics = new Metrics({ events: events(), process: false });
    for (const method of ['PROPFIND', 'M-SEARCH', 'get']) ask(metrics, exchange('*', method), 404, 0.001, 0);
    const text = await metrics.text();
    assert.equal(valueOf(text, 'http_requests_total{method="OTHER",endpoint="*",status="404"}'), 3);
    assert.equal(text.match(/^http_requests_total\{/gm)?.length, 1);
  });

  test('what had no upstream has no place among the services', async () => {
    const metrics = new Metrics({ events: events(), process: false });
    ask(metrics, exchange('/health'), 200, 0.001, 0);
    assert.doesNotMatch(await metrics.text(), /^gateway_/m);
  });

  test('requests are in flight from when they came until they are over', async () => {
    const metrics = new Metrics({ events: events(), process: false });
    metrics.began();
    metrics.began();
    metrics.request(exchange('/'), 200, 1, 0);
    assert.equal(valueOf(await metrics.text(), 'http_requests_in_flight'), 1);
  });

  test('refusals and retries are read from the events of the policies, until it is closed', async () => {
    const bus = events();
    const metrics = new Metrics({ events: bus, process: false });
    bus.emit('throttled', { name: '/api/*' }, { key: 'somebody', retryAfter: 1 });
    bus.emit('retried', { name: '/api/*' }, { attempt: 1, wait: 0, error: undefined });
    metrics.close();
    bus.emit('throttled', { name: '/api/*' }, { key: 'somebody', retryAfter: 1 });
    const text = await metrics.text();
    assert.equal(valueOf(text, 'rate_limit_exceeded_total{endpoint="/api/*"}'), 1);
    assert.equal(valueOf(text, 'retries_total{endpoint="/api/*"}'), 1);
    assert.doesNotMatch(text, /somebody/);
  });

  test('caches, WebSockets and reloads are counted', async () => {
    const metrics = new Metrics({ events: events(), process: false });
    assert.equal(valueOf(await metrics.text(), 'config_last_reload_successful'), 1);
    ask(metrics, exchange('/a', 'GET', 'hit'), 200, 0, 0);
    ask(metrics, exchange('/a', 'GET', 'hit'), 200, 0, 0);
    ask(metrics, exchange('/a', 'GET', 'miss'), 200, 0, 0);
    metrics.webSocketOpened('/ws');
    metrics.webSocketOpened('/ws');
    metrics.webSocketClosed('/ws');
    metrics.reloaded(true);
    metrics.reloaded(false);
    const text = await metrics.text();
    assert.equal(valueOf(text, 'cache_requests_total{endpoint="/a",result="hit"}'), 2);
    assert.equal(valueOf(text, 'cache_requests_total{endpoint="/a",result="miss"}'), 1);
    assert.equal(valueOf(text, 'websocket_connections{endpoint="/ws"}'), 1);
    assert.equal(valueOf(text, 'websocket_connections_total{endpoint="/ws"}'), 2);
    assert.equal(valueOf(text, 'config_reloads_total{result="failure"}'), 1);
    assert.equal(valueOf(text, 'config_last_reload_successful'), 0);
  });

  test('circuits and servers are read at each scrape', async () => {
    let state: 'closed' | 'open' | 'half_open' = 'closed';
    const server = { url: 'http://b:1', up: false, active: 2, requests: 7, failures: 3 };
    const metrics = new Metrics({
      events: events(),
      process: false,
      circuits: () => [{ name: '/api/*', state }],
      upstreams: () => [{ name: 'users', servers: [server] }],
    });
    const seen: unknown[] = [];
    for (state of ['closed', 'half_open', 'open'] as const)
      seen.push(valueOf(await metrics.text(), 'circuit_breaker_state{service="/api/*"}'));
    assert.deepEqual(seen, [0, 1, 2]);
    const text = await metrics.text();
    assert.equal(valueOf(text, 'upstream_up{upstream="users",server="http://b:1"}'), 0);
    assert.equal(valueOf(text, 'upstream_requests_total{upstream="users",server="http://b:1"}'), 7);
    assert.equal(valueOf(text, 'upstream_failures_total{upstream="users",server="http://b:1"}'), 3);
    assert.equal(valueOf(text, 'upstream_requests_in_flight{upstream="users",server="http://b:1"}'), 2);
  });

  test('with all families filled, and the process beside them, promtool finds nothing to complain about', async () => {
    const text = await full(new Events(() => 0)).text();
    for (const name of ['nodejs_eventloop_lag_seconds', 'process_cpu_seconds_total', 'gateway_request_latency_seconds', 'upstream_up'])
      assert.match(text, new RegExp(`^# TYPE ${name} `, 'm'));
    assert.equal(lint(text), '');
    assert.notEqual(lint(text.replaceAll('upstream_up', 'upstream_up_total')), '', 'promtool does look');
  });

  test('two gateways in one process count apart, and both tell of the process', async () => {
    const [one, two] = [new Metrics({ events: events() }), new Metrics({ events: events() })];
    ask(one, exchange('/only-one'), 200, 0, 0);
    assert.match(await one.text(), /only-one/);
    assert.doesNotMatch(await two.text(), /only-one/);
    assert.match(await two.text(), /^process_cpu_seconds_total /m);
  });

  test('a pattern with quotes, backslashes and line breaks stays one label', async () => {
    const metrics = new Metrics({ events: events(), process: false });
    ask(metrics, exchange('^/a"b\\d\n'), 200, 0, 0);
    assert.equal(valueOf(await metrics.text(), String.raw`http_requests_total{method="GET",endpoint="^/a\"b\\d\n",status="200"}`), 1);
  });
});

/** Metrics in which every family has a value. */
function full(bus: Events, state: 'closed' | 'open' = 'open'): Metrics {
  const metrics = new Metrics({
    events: bus,
    circuits: () => [{ name: '/api/*', state }],
    upstreams: () => [{ name: 'users', servers: [{ url: 'http://b:1', up: state === 'closed', active: 1, requests: 3, failures: 1 }] }],
  });
  ask(metrics, exchange('/api/*', 'GET', 'hit'), 200, 0.01, 10, 'users');
  ask(metrics, exchange('/api/*', 'POST'), 503, 0.01, 10, 'users');
  bus.emit('throttled', { name: '/api/*' }, { key: 'k', retryAfter: 1 });
  bus.emit('retried', { name: '/api/*' }, { attempt: 1, wait: 0, error: undefined });
  metrics.webSocketOpened('/ws');
  metrics.reloaded(true);
  return metrics;
}

describe('metrics of several processes', () => {
  test('counters and histograms are summed, gauges by what they mean, and promtool likes the sum', async () => {
    const [one, two] = [full(events(), 'open'), full(events(), 'closed')];
    two.reloaded(false);
    // As over IPC.
    const text = await Metrics.merge(structuredClone([await one.snapshot(), await two.snapshot()]));
    assert.equal(valueOf(text, 'http_requests_total{method="GET",endpoint="/api/*",status="200"}'), 2);
    assert.equal(valueOf(text, 'http_request_duration_seconds_bucket{method="GET",endpoint="/api/*",le="0.01"}'), 2);
    assert.equal(valueOf(text, 'http_request_duration_seconds_count{method="GET",endpoint="/api/*"}'), 2);
    assert.equal(valueOf(text, 'websocket_connections{endpoint="/ws"}'), 2);
    assert.equal(valueOf(text, 'circuit_breaker_state{service="/api/*"}'), 2);
    assert.equal(valueOf(text, 'upstream_up{upstream="users",server="http://b:1"}'), 0);
    assert.equal(valueOf(text, 'config_last_reload_successful'), 0);
    assert.equal(lint(text), '');
  });

  test('of a process that is gone the counters stay and the gauges go, also when several gone ones were put together', async () => {
    const [live, dead, deader] = [full(events()), full(events()), full(events())];
    const kept = await Metrics.fold([await dead.snapshot(), await deader.snapshot()]);
    const text = await Metrics.merge([await live.snapshot()], [kept]);
    assert.equal(valueOf(text, 'http_requests_total{method="GET",endpoint="/api/*",status="200"}'), 3);
    assert.equal(valueOf(text, 'http_request_duration_seconds_bucket{method="GET",endpoint="/api/*",le="+Inf"}'), 3);
    assert.equal(valueOf(text, 'websocket_connections{endpoint="/ws"}'), 1);
    assert.equal(valueOf(text, 'websocket_connections_total{endpoint="/ws"}'), 3);
  });
});
