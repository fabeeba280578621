import { namedMethods } from '../http/methods.js';
import { type Labels, Sums, type Value } from './family.js';

/** The upper bounds of the latency histograms, in seconds. */
const latencyBounds: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How long requests took: counts between bounds, and their sum. */
class Latencies {
  /** The last one counts what is above all bounds. */
  readonly #counts = new Float64Array(latencyBounds.length + 1);
  #sum = 0;

  observe(seconds: number): void {
    let i = 0;
    while (i < latencyBounds.length && seconds > (latencyBounds[i] as number)) i++;
    (this.#counts[i] as number)++;
    this.#sum += seconds;
  }

  add(other: Latencies): void {
    for (let i = 0; i < this.#counts.length; i++) this.#counts[i] = (this.#counts[i] as number) + (other.#counts[i] as number);
    this.#sum += other.#sum;
  }

  /** As Prometheus reads a histogram: each bucket holds all below it. */
  values(name: string, labels: Labels): Value[] {
    const values: Value[] = [];
    let count = 0;
    for (let i = 0; i < this.#counts.length; i++) {
      count += this.#counts[i] as number;
      values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: latencyBounds[i] ?? '+Inf' }, value: count });
    }
    values.push({ metricName: `${name}_sum`, labels, value: this.#sum }, { metricName: `${name}_count`, labels, value: count });
    return values;
  }
}

/** What one method of one endpoint was asked. */
class Cell {
  readonly statuses = new Map<number, number>();
  readonly latencies = new Latencies();
}

/** What one endpoint of one service was asked. */
class Endpoint {
  readonly #cells = new Map<string, Cell>();
  readonly cache = new Map<string, number>();
  bytes = 0;

  constructor(
    readonly pattern: string,
    readonly service: string,
  ) {}

  cell(method: string): Cell {
    let cell = this.#cells.get(method);
    if (cell !== undefined) return cell;
    const label = namedMethods.has(method) ? method : 'OTHER';
    cell = this.#cells.get(label);
    if (cell === undefined) this.#cells.set(label, (cell = new Cell()));
    return cell;
  }

  get cells(): Iterable<[method: string, cell: Cell]> {
    return this.#cells;
  }
}

/** Which values share their latencies. */
type LabelsOf = (endpoint: Endpoint, method: string) => Labels | undefined;

/** Counts requests by service, endpoint, method and status, as cheaply as that can be done; puts them together when asked. */
export class Traffic {
  readonly #services = new Map<string, Map<string, Endpoint>>();

  request(
    service: string,
    pattern: string,
    method: string,
    status: number,
    seconds: number,
    bytes: number,
    cache: string | undefined,
  ): void {
    const endpoint = this.#endpoint(service, pattern);
    const { statuses, latencies } = endpoint.cell(method);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    latencies.observe(seconds);
    endpoint.bytes += bytes;
    if (cache !== undefined) endpoint.cache.set(cache, (endpoint.cache.get(cache) ?? 0) + 1);
  }

  #endpoint(service: string, pattern: string): Endpoint {
    let endpoints = this.#services.get(service);
    if (endpoints === undefined) this.#services.set(service, (endpoints = new Map()));
    let endpoint = endpoints.get(pattern);
    if (endpoint === undefined) endpoints.set(pattern, (endpoint = new Endpoint(pattern, service)));
    return endpoint;
  }

  *#all(): Iterable<Endpoint> {
    for (const endpoints of this.#services.values()) yield* endpoints.values();
  }

  /** Requests by the labels that `labelsOf` gives them, from a status on. */
  requests(labelsOf: LabelsOf, from: number = 0): Value[] {
    const sums = new Sums();
    for (const endpoint of this.#all()) {
      for (const [method, { statuses }] of endpoint.cells) {
        const labels = labelsOf(endpoint, method);
        if (labels === undefined) continue;
        for (const [status, count] of statuses) if (status >= from) sums.add({ ...labels, status: String(status) }, count);
      }
    }
    return sums.values();
  }

  /** The latency histogram by those labels. */
  latencies(name: string, labelsOf: LabelsOf): Value[] {
    const merged = new Map<string, { readonly labels: Labels; readonly latencies: Latencies }>();
    for (const endpoint of this.#all()) {
      for (const [method, { latencies }] of endpoint.cells) {
        const labels = labelsOf(endpoint, method);
        if (labels === undefined) continue;
        const key = JSON.stringify(Object.values(labels));
        const known = merged.get(key) ?? { labels, latencies: new Latencies() };
        known.latencies.add(latencies);
        merged.set(key, known);
      }
    }
    return [...merged.values()].flatMap(({ labels, latencies }) => latencies.values(name, labels));
  }

  /** How the cache answered, by endpoint. */
  cache(): Value[] {
    const sums = new Sums();
    for (const { pattern, cache } of this.#all()) for (const [result, count] of cache) sums.add({ endpoint: pattern, result }, count);
    return sums.values();
  }

  /** Bytes that were sent as answers, by endpoint. */
  bytes(): Value[] {
    const sums = new Sums();
    for (const { pattern, bytes } of this.#all()) sums.add({ endpoint: pattern }, bytes);
    return sums.values();
  }
}
