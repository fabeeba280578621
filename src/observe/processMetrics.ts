import { collectDefaultMetrics, Registry } from 'prom-client';

/** Gauges that call themselves `_total`, which only counters may: `promtool check metrics` refuses them. The same is told under other names, by type. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

let registry: Registry | undefined;

/**
 * What prom-client tells about the process: CPU, memory, event loop, garbage collection. Made once for all gateways of a process, because
 * its observers cannot be stopped.
 */
export function processMetrics(): Registry {
  if (registry !== undefined) return registry;
  registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 });
  for (const name of misnamed) registry.removeSingleMetric(name);
  return registry;
}
