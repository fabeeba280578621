import { Events } from '../../src/core/events.js';
import { Exchange } from '../../src/http/exchange.js';
import { Metrics } from '../../src/observe/metrics.js';

/** One family of metrics: its name, its type, and its labels in order. */
export type Family = readonly [name: string, type: string, labels: readonly string[]];

interface Told {
  readonly name: string;
  readonly type: string;
  readonly values: readonly { readonly labels: Readonly<Record<string, unknown>> }[];
}

/** Every family that a gateway tells by itself, with the labels that it has once there is something to tell. */
export async function sampleFamilies(): Promise<readonly Family[]> {
  const events = new Events(() => 0);
  const metrics = new Metrics({
    events,
    process: false,
    circuits: () => [{ name: '/api/*', state: 'closed' }],
    upstreams: () => [{ name: 'default', servers: [{ url: 'http://backend:8000', up: true, active: 0, requests: 1, failures: 0 }] }],
  });
  metrics.began();
  metrics.request(failedExchange(), 502, 0.1, 100, 'default');
  metrics.webSocketOpened('/api/*');
  metrics.reloaded(true);
  events.emit('throttled', { name: '/api/*' }, { key: 'a', retryAfter: 1 });
  events.emit('retried', { name: '/api/*' }, { attempt: 2, wait: 0, error: undefined });
  const told = (await metrics.snapshot()) as readonly Told[];
  metrics.close();
  return told.map(({ name, type, values }) => [name, type, Object.keys(values[0]?.labels ?? {}).filter((label) => label !== 'le')]);
}

function failedExchange(): Exchange {
  const exchange = new Exchange({
    method: 'GET',
    path: '/api/users',
    query: '',
    host: 'localhost',
    scheme: 'http',
    client: '127.0.0.1',
    peer: '127.0.0.1',
    trusted: false,
    headers: [],
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
  });
  exchange.pattern = '/api/*';
  exchange.cacheResult = 'miss';
  return exchange;
}
