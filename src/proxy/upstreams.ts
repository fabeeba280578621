import type { UpstreamInit, UpstreamState } from './upstream.js';
import { Upstream } from './upstream.js';

/** What all pools of a gateway share. */
export type UpstreamsInit = Omit<UpstreamInit, 'name' | 'config' | 'keyOf'>;

interface Held {
  readonly upstream: Upstream;
  readonly key: string;
  users: number;
}

/**
 * The pools of a gateway. Those whose name and configuration did not change are the same before and after a reload, with connections,
 * health and counters; the others end once nobody uses them.
 */
export class Upstreams {
  readonly #init: UpstreamsInit;
  readonly #byKey = new Map<string, Held>();
  readonly #byPool = new Map<Upstream, Held>();

  constructor(init: UpstreamsInit) {
    this.#init = init;
  }

  /** The pool of that name and configuration, made on first use. Each `open` needs one `release`. */
  open(name: string, config: UpstreamInit['config'], keyOf?: UpstreamInit['keyOf']): Upstream {
    const key = keyFor(name, config);
    let held = this.#byKey.get(key);
    if (held === undefined) {
      const upstream = new Upstream({ ...this.#init, name, config, keyOf });
      held = { upstream, key, users: 0 };
      this.#byKey.set(key, held);
      this.#byPool.set(upstream, held);
    }
    held.users++;
    return held.upstream;
  }

  /** One user less; without any, the pool ends after its requests. */
  release(upstream: Upstream): void {
    const held = this.#byPool.get(upstream);
    if (held === undefined || --held.users > 0) return;
    this.#byKey.delete(held.key);
    this.#byPool.delete(upstream);
    upstream.retire();
  }

  /** Every pool in use. */
  all(): readonly Upstream[] {
    return [...this.#byPool.keys()];
  }

  /** How all pools do. */
  snapshot(): readonly UpstreamState[] {
    return this.all().map((upstream) => upstream.snapshot());
  }

  /** Ends all pools once their requests are over, or after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const pools = this.all();
    this.#byKey.clear();
    this.#byPool.clear();
    await Promise.all(pools.map((upstream) => upstream.close(graceMs)));
  }
}

/** One text for equal configurations, in whatever order their keys stand: what a reload recognises a pool by. */
export function keyFor(name: string, config: UpstreamInit['config']): string {
  return JSON.stringify([name, sorted(config)]);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  );
}
