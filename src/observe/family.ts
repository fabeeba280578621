import type { Metric, Registry } from 'prom-client';

/** The labels of one value. */
export type Labels = Readonly<Record<string, string>>;

/** One value as prom-client prints it. */
export interface Value {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Where it is not the family's: `…_bucket`, `…_sum`, `…_count`. */
  readonly metricName?: string;
}

/** How the values of several processes become one. */
export type Aggregator = 'sum' | 'min' | 'max' | 'first' | 'average' | 'omit';

/** What a family is made of. */
export interface FamilyInit {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** `sum` by default. */
  readonly aggregator?: Aggregator;
  /** Called at each scrape, and never between. */
  read(): readonly Value[];
}

/** A family in prom-client's terms that reads its values from where they are counted anyway: a request costs it nothing. */
class Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: Aggregator;
  readonly #init: FamilyInit;

  constructor(init: FamilyInit) {
    this.name = init.name;
    this.help = init.help;
    this.type = init.type;
    this.aggregator = init.aggregator ?? 'sum';
    this.#init = init;
  }

  get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    return Promise.resolve({ name, help, type, aggregator, values: this.#init.read() });
  }
}

/** Puts families into a registry. prom-client asks nothing of a metric but a name and `get()`; its types know only its own four. */
export function register(registry: Registry, families: readonly FamilyInit[]): void {
  for (const init of families) registry.registerMetric(new Family(init) as unknown as Metric);
}

/** Counts by key, as values with one label. */
export function byKey(counts: ReadonlyMap<string, number>, label: string): Value[] {
  return Array.from(counts, ([key, value]) => ({ labels: { [label]: key }, value }));
}

/** A single value without labels. */
export function alone(value: number): Value[] {
  return [{ labels: {}, value }];
}

/** Sums of what has the same labels. */
export class Sums {
  readonly #values = new Map<string, { readonly labels: Labels; value: number }>();

  add(labels: Labels, value: number): void {
    const key = JSON.stringify(Object.values(labels));
    const known = this.#values.get(key);
    if (known === undefined) this.#values.set(key, { labels, value });
    else known.value += value;
  }

  values(): Value[] {
    return [...this.#values.values()];
  }
}
