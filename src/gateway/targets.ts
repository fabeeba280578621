import type { Call } from '../core/call.js';
import { compile } from '../core/run.js';
import type { Behaviour, Runtime } from '../core/policy.js';
import type { Answer } from '../http/exchange.js';
import { Problem } from '../http/problem.js';
import { createProxy } from '../proxy/proxy.js';
import type { Upstream } from '../proxy/upstream.js';
import { keyFor, type Upstreams } from '../proxy/upstreams.js';
import { type ResolvedConfig, type UpstreamConfig, upstreamSchema } from './config/schema.js';
import { exchangeOf, type Forward } from './feature.js';
import { breaker } from './features/circuitBreaker.js';
import { caughtAnswer, throwFailures } from './features/failures.js';
import type { Target } from './pipeline.js';
import { compileKey } from './template.js';

/** The pool of `servers`. */
const main = 'default';

/** Whom the paths of one configuration end at: its pools, and the app. */
export class Targets {
  /** The names of its pools' circuits. */
  readonly circuits: readonly string[];
  readonly #app: Target | undefined;
  readonly #pools = new Map<string, Target>();
  readonly #opened: Upstream[] = [];
  readonly #upstreams: Upstreams;

  constructor(config: ResolvedConfig, app: Target | undefined, upstreams: Upstreams, runtime: Runtime, traced: (target: Target) => Target) {
    this.#app = app;
    this.#upstreams = upstreams;
    const pools: Record<string, UpstreamConfig> = { ...config.upstreams };
    if (config.servers !== undefined) pools[main] = { ...upstreamSchema.parse({ servers: ['http://localhost'] }), servers: config.servers };
    this.circuits = Object.keys(pools)
      .filter((name) => pools[name]?.circuit_breaker !== undefined)
      .map(circuitOf);
    try {
      for (const [name, pool] of Object.entries(pools)) {
        const upstream = upstreams.open(name, pool, compileKey(pool.balance.key));
        this.#opened.push(upstream);
        this.#pools.set(name, traced(poolTarget(upstream, pool, runtime)));
      }
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Where a path ends: at the pool that it names, else at the app, else at the main pool. */
  of(name: string | undefined): Target {
    if (name !== undefined) return this.#pools.get(name) ?? nowhere;
    return this.#app ?? this.#pools.get(main) ?? nowhere;
  }

  /** Another configuration has taken over: the pools that only this one used end after their requests. */
  release(): void {
    for (const upstream of this.#opened) this.#upstreams.release(upstream);
  }
}

const refuse: Forward = () => Promise.reject(new Problem('not_found'));

/** For paths that lead nowhere: no app, no servers. */
const nowhere: Target = { service: '', key: 'nowhere', forward: refuse, hand: undefined };

function poolTarget(upstream: Upstream, config: UpstreamConfig, runtime: Runtime): Target {
  const forward = createProxy(upstream);
  const target = { service: upstream.name, key: keyFor(upstream.name, config), hand: undefined };
  if (config.circuit_breaker === undefined) return { ...target, forward };
  const name = circuitOf(upstream.name);
  const place = { site: { fn: () => undefined, method: name, form: 'function' as const }, ordinal: 0 };
  const last: Behaviour = { run: (call) => forward(exchangeOf(call), call) };
  const guarded = compile([...breaker(config.circuit_breaker, runtime, place, name), throwFailures(), last]);
  return { ...target, forward: (_exchange, call: Call) => (guarded(call) as Promise<Answer>).catch(caughtAnswer) };
}

const circuitOf = (pool: string): string => `upstream ${pool}`;
