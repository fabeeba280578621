import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { OptionsError } from '../../core/errors.js';
import type { NamedLimiter } from '../../policies/namedLimiter.js';
import { Premier } from '../../premier.js';

/** What `PremierHealthIndicator` looks at. */
export interface PremierHealthOptions {
  /**
   * Whether an open circuit is ill health: of any, or of those named.
   * @default true
   */
  circuits?: boolean | readonly string[];
  /**
   * Whether a store that cannot be reached is ill health.
   * @default true
   */
  store?: boolean;
}

/** What Terminus takes for the state of one thing. */
export type PremierHealth<Key extends string> = Record<Key, { readonly status: 'up' | 'down'; readonly [detail: string]: unknown }>;

/** Tells Terminus of open circuits and of a store that is away. */
export class PremierHealthIndicator implements OnModuleDestroy {
  readonly #premier: Premier;
  readonly #probe: NamedLimiter;
  readonly #down = new Set<string>();
  readonly #stops: readonly (() => void)[];

  constructor(premier: Premier) {
    this.#premier = premier;
    this.#probe = premier.limiter({ name: 'premier.health', quota: 1, duration: 1 });
    this.#stops = [
      premier.on('storeDown', ({ store }) => void this.#down.add(store)),
      premier.on('storeUp', ({ store }) => void this.#down.delete(store)),
    ];
  }

  /** The state under a key of your choice: `() => premierHealth.check('premier')`. */
  async check<Key extends string = 'premier'>(
    key?: Key,
    { circuits = true, store = true }: PremierHealthOptions = {},
  ): Promise<PremierHealth<Key>> {
    if (circuits !== true && circuits !== false && !Array.isArray(circuits)) {
      throw new OptionsError('PremierHealthIndicator: option "circuits" must be true, false or a list of names');
    }
    const open = this.#premier.breakers.filter(
      ({ state, name }) => state === 'open' && (circuits === true || (circuits !== false && circuits.includes(name))),
    );
    const away = store ? await this.#away() : [];
    const details = {
      ...(open.length > 0 && { circuits: open.map(({ name, retryAfter }) => ({ name, retryAfter })) }),
      ...(away.length > 0 && { stores: away }),
    };
    const status = open.length + away.length > 0 ? 'down' : 'up';
    return { [key ?? 'premier']: { status, ...details } } as PremierHealth<Key>;
  }

  onModuleDestroy(): void {
    for (const stop of this.#stops) stop();
  }

  /** A look at a key that costs nothing: a store that went away since the last call is found out by it. */
  async #away(): Promise<readonly string[]> {
    const reached = await this.#probe.peek('').then(
      () => true,
      () => false,
    );
    return reached || this.#down.size > 0 ? [...this.#down] : ['store'];
  }
}

Injectable()(PremierHealthIndicator);
Inject(Premier)(PremierHealthIndicator, undefined, 0);
