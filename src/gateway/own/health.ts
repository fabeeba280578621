import { after, type Clock } from '../../core/clock.js';
import type { Awaitable, Provider } from '../../core/provider.js';
import type { UpstreamReading } from '../../observe/readings.js';

/** What a check found. Only `down` makes the gateway degraded. */
export type CheckResult = 'ok' | 'down' | Readonly<Record<string, 'ok' | 'down'>>;

/** Looks at one thing the gateway depends on. Throwing means `down`. */
export type Check = () => Awaitable<CheckResult>;

/** What `GET /health` answers. */
export interface HealthReport {
  readonly status: 'healthy' | 'degraded' | 'draining';
  readonly timestamp: string;
  readonly service: string;
  readonly checks: Readonly<Record<string, CheckResult>>;
}

/** What a health report is made from. */
export interface HealthOptions {
  /** The name of this gateway: its keyspace. */
  readonly service: string;
  readonly clock: Clock;
  /** Whether the gateway is about to stop. */
  readonly draining: () => boolean;
  /** By the names in the report. */
  readonly checks: Readonly<Record<string, Check>>;
}

/** How long a check may take. */
const patience = 1000;
/** How long its result is told again: anybody may ask for the report, and must not make work by it. */
const freshness = 1000;

/** Tells how a gateway and what it depends on are. */
export class Health {
  readonly #options: HealthOptions;
  #checked: { readonly at: number; readonly results: Promise<Record<string, CheckResult>> } | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  async report(): Promise<HealthReport> {
    const { service, clock, draining } = this.#options;
    const now = clock.monotonic();
    if (this.#checked === undefined || now - this.#checked.at >= freshness) this.#checked = { at: now, results: this.#check() };
    const checks = await this.#checked.results;
    const isDown = Object.values(checks).some((result) => result === 'down' || (typeof result === 'object' && allDown(result)));
    const status = draining() ? 'draining' : isDown ? 'degraded' : 'healthy';
    return { status, timestamp: new Date(clock.now()).toISOString(), service, checks };
  }

  async #check(): Promise<Record<string, CheckResult>> {
    const named = Object.entries(this.#options.checks).map(async ([name, check]) => [name, await this.#within(check)] as const);
    return Object.fromEntries(await Promise.all(named));
  }

  #within(check: Check): Promise<CheckResult> {
    return new Promise((resolve) => {
      const timer = after(this.#options.clock, patience, () => resolve('down'));
      void Promise.resolve()
        .then(check)
        .catch(() => 'down' as const)
        .then((result) => {
          timer.clear();
          resolve(result);
        });
    });
  }
}

/** Whether nothing of several is left. */
function allDown(results: Readonly<Record<string, 'ok' | 'down'>>): boolean {
  const all = Object.values(results);
  return all.length > 0 && all.every((result) => result === 'down');
}

/** Asks the store for a key: whether it answers. */
export function storeCheck(provider: Provider, keyspace: string): Check {
  return async (): Promise<CheckResult> => {
    await provider.has(`${keyspace}:health`);
    return 'ok';
  };
}

/** A pool is down when none of its servers gets requests. */
export function upstreamsCheck(upstreams: () => Iterable<UpstreamReading>): Check {
  return () =>
    Object.fromEntries(Array.from(upstreams(), ({ name, servers }) => [name, Array.from(servers).some(({ up }) => up) ? 'ok' : 'down']));
}
