import type { Events } from '../core/events.js';
import type { Exchange } from '../http/exchange.js';
import type * as ExpositionRoom from './exposition.js';
import type { Exposition, MetricsSnapshot } from './exposition.js';
import { alone, byKey, type FamilyInit } from './family.js';
import { type CircuitReading, circuitFamilies, upstreamFamilies, type UpstreamReading } from './readings.js';
import { Traffic } from './traffic.js';

/** What metrics read from the rest of the gateway, each when it is scraped. */
export interface MetricsOptions {
  /** Whose refusals and retries are counted, by the name of the call: the pattern of the path. */
  readonly events: Events;
  readonly circuits?: () => Iterable<CircuitReading>;
  readonly upstreams?: () => Iterable<UpstreamReading>;
  /** Whether the process is told about as well. @default true */
  readonly process?: boolean;
}

/** A snapshot's family, as far as summing looks into it. */
interface Counted {
  readonly type?: unknown;
}

/** Counts what happens in one gateway, and tells it to Prometheus. Labels are patterns of paths, never what a client sent. */
export class Metrics {
  readonly contentType: string = 'text/plain; version=0.0.4; charset=utf-8';
  readonly #options: MetricsOptions;
  #exposition: Promise<Exposition> | undefined;
  readonly #traffic = new Traffic();
  readonly #throttled = new Map<string, number>();
  readonly #retried = new Map<string, number>();
  readonly #sockets = new Map<string, number>();
  readonly #openSockets = new Map<string, number>();
  readonly #reloads = new Map<string, number>();
  readonly #stops: readonly (() => void)[];
  #lastReload = 1;
  #inFlight = 0;

  constructor(options: MetricsOptions) {
    const { events } = options;
    this.#stops = [
      events.on('throttled', ({ name }) => bump(this.#throttled, name)),
      events.on('retried', ({ name }) => bump(this.#retried, name)),
    ];
    this.#options = options;
  }

  /** A request came. `request` must follow. */
  began(): void {
    this.#inFlight++;
  }

  /** A request is over. `bytes` that were sent; `service` is the upstream of its path, empty for what had none. */
  request(exchange: Exchange, status: number, seconds: number, bytes: number, service: string = ''): void {
    this.#inFlight--;
    this.#traffic.request(service, exchange.pattern, exchange.method, status, seconds, bytes, exchange.cacheResult);
  }

  /** A WebSocket was opened. `webSocketClosed` must follow. */
  webSocketOpened(pattern: string): void {
    bump(this.#sockets, pattern);
    bump(this.#openSockets, pattern);
  }

  /** It was closed. */
  webSocketClosed(pattern: string): void {
    bump(this.#openSockets, pattern, -1);
  }

  /** A new config was taken over, or refused. */
  reloaded(success: boolean): void {
    this.#lastReload = success ? 1 : 0;
    bump(this.#reloads, success ? 'success' : 'failure');
  }

  /** Everything in Prometheus' text format. */
  async text(): Promise<string> {
    return (await this.#told()).text();
  }

  /** Everything as plain data that can be sent to another process. */
  async snapshot(): Promise<MetricsSnapshot> {
    return (await this.#told()).snapshot();
  }

  /** Listens no longer. What was counted can still be read. */
  close(): void {
    for (const stop of this.#stops) stop();
  }

  /** The metrics of several processes as one text. Of those in `gone` only what they counted is left: their gauges died with them. */
  static async merge(live: readonly MetricsSnapshot[], gone: readonly MetricsSnapshot[] = []): Promise<string> {
    return (await exposition()).aggregated([...live, ...gone.map(counters)]).metrics();
  }

  /** Several processes that are gone as one snapshot, so that what is kept of them does not grow with their number. */
  static async fold(gone: readonly MetricsSnapshot[]): Promise<MetricsSnapshot> {
    return await (await exposition()).aggregated(gone.map(counters)).getMetricsAsJSON();
  }

  /** A gateway that is never scraped never loads what writes metrics down: an eighth of its memory. */
  #told(): Promise<Exposition> {
    return (this.#exposition ??= exposition().then(({ Exposition }) => {
      const { circuits = () => [], upstreams = () => [], process = true } = this.#options;
      return new Exposition([...this.#families(), ...circuitFamilies(circuits), ...upstreamFamilies(upstreams)], process);
    }));
  }

  #families(): FamilyInit[] {
    const traffic = this.#traffic;
    const duration = 'http_request_duration_seconds';
    const latency = 'gateway_request_latency_seconds';
    return [
      {
        name: 'http_requests_total',
        help: 'Requests by the pattern of their path.',
        type: 'counter',
        read: () => traffic.requests(({ pattern }, method) => ({ method, endpoint: pattern })),
      },
      {
        name: duration,
        help: 'How long requests took, until their answer was written.',
        type: 'histogram',
        read: () => traffic.latencies(duration, ({ pattern }, method) => ({ method, endpoint: pattern })),
      },
      {
        name: 'http_request_errors_total',
        help: 'Requests that were answered with a 5xx status.',
        type: 'counter',
        read: () => traffic.requests(({ pattern }, method) => ({ method, endpoint: pattern }), 500),
      },
      {
        name: 'http_response_bytes_total',
        help: 'Bytes that were sent as answers, heads included.',
        type: 'counter',
        read: () => traffic.bytes(),
      },
      { name: 'http_requests_in_flight', help: 'Requests under way.', type: 'gauge', read: () => alone(this.#inFlight) },
      {
        name: 'gateway_requests_total',
        help: 'Requests by the upstream of their path.',
        type: 'counter',
        read: () => traffic.requests(({ service }, method) => (service === '' ? undefined : { service, method })),
      },
      {
        name: latency,
        help: 'How long requests took, by the upstream of their path.',
        type: 'histogram',
        read: () => traffic.latencies(latency, ({ service }) => (service === '' ? undefined : { service })),
      },
      {
        name: 'rate_limit_exceeded_total',
        help: 'Requests that a rate limit refused.',
        type: 'counter',
        read: () => byKey(this.#throttled, 'endpoint'),
      },
      { name: 'cache_requests_total', help: 'Requests by what the cache did.', type: 'counter', read: () => traffic.cache() },
      { name: 'retries_total', help: 'Attempts beyond the first.', type: 'counter', read: () => byKey(this.#retried, 'endpoint') },
      { name: 'websocket_connections', help: 'Open WebSockets.', type: 'gauge', read: () => byKey(this.#openSockets, 'endpoint') },
      {
        name: 'websocket_connections_total',
        help: 'WebSockets that were opened.',
        type: 'counter',
        read: () => byKey(this.#sockets, 'endpoint'),
      },
      {
        name: 'config_reloads_total',
        help: 'Attempts to take over a new config.',
        type: 'counter',
        read: () => byKey(this.#reloads, 'result'),
      },
      {
        name: 'config_last_reload_successful',
        help: 'Whether the last config that was offered is the one in use: 1 or 0.',
        type: 'gauge',
        aggregator: 'min',
        read: () => alone(this.#lastReload),
      },
    ];
  }
}

const exposition = (): Promise<typeof ExpositionRoom> => import('./exposition.js');

function counters(snapshot: MetricsSnapshot): object[] {
  return snapshot.filter((family) => ['counter', 'histogram'].includes(String((family as Counted).type)));
}

function bump(counts: Map<string, number>, key: string, by: number = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
