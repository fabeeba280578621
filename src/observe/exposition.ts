import { AggregatorRegistry, type Metric, Registry } from 'prom-client';
import { type FamilyInit, register } from './family.js';
import { processMetrics } from './processMetrics.js';

/** The metrics of one process as data, for another process that sums several. */
export type MetricsSnapshot = readonly object[];

/** Families in Prometheus' words. The only room that needs prom-client, which is loaded at the first scrape. */
export class Exposition {
  readonly #registry = new Registry();

  constructor(families: readonly FamilyInit[], withProcess: boolean) {
    register(this.#registry, families);
    if (!withProcess) return;
    for (const metric of processMetrics().getMetricsAsArray()) this.#registry.registerMetric(metric as unknown as Metric);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  snapshot(): Promise<MetricsSnapshot> {
    return this.#registry.getMetricsAsJSON();
  }
}

/** Several processes as one. */
export function aggregated(snapshots: readonly MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate(snapshots as object[][]);
}
