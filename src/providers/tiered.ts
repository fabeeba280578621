import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../core/clock.js';
import { OptionsError } from '../core/errors.js';
import type {
  Algorithm,
  Awaitable,
  Bus,
  Provider,
  Seen,
  SharedValues,
  Step,
  Store,
  StoreChange,
  Subscription,
  Tags,
  Verdict,
} from '../core/provider.js';
import { openStore } from '../core/provider.js';
import { text, schema, value, withDefault } from '../core/options.js';
import { type Message, messageIn } from './tieredMessage.js';
import { TieredTags } from './tieredTags.js';

/** Options of `tiered()`. */
export interface TieredOptions {
  /** The tier of this process, such as `memory()`. It is only used for values. */
  local: Provider;
  /** The tier that all processes share, such as `redis()`. */
  remote: Provider;
  /**
   * The channel on which processes tell each other what changed.
   * @default 'premier:tiered'
   */
  channel?: string;
  /** @default the machine's clock */
  clock?: Clock;
}

const provider = (what: string) => value<Provider>(what, (given) => typeof (given as Provider | null)?.step === 'function');

const tieredOptions = schema<TieredOptions>('tiered')({
  local: provider('a provider, such as memory()'),
  remote: provider('a provider that processes share, such as redis()'),
  channel: withDefault(text(), 'premier:tiered'),
  clock: value<Clock>('a Clock', (given) => typeof (given as Clock | null)?.now === 'function'),
});

/**
 * Values in this process in front of a provider that several share. What one process sets, drops or clears reaches the others; while this one
 * cannot hear them it asks the shared provider for everything, and begins anew when it can. Limits are always decided there. Throws
 * `OptionsError` when the remote tier cannot carry messages.
 */
export function tiered(options: TieredOptions): Provider {
  const { local, remote, channel, clock } = tieredOptions.parse(options);
  if (!local) throw new OptionsError('tiered: needs option "local", such as memory()');
  if (!remote?.shared || !remote.bus)
    throw new OptionsError('tiered: option "remote" must be a provider that processes share, such as redis()');
  return new Tiered(local, remote, remote.bus, channel, clock ?? systemClock);
}

/** What both tiers and everybody below them need to know. */
class Tiers {
  readonly id = randomUUID();
  readonly #all = JSON.stringify({ from: this.id, all: true } satisfies Message);
  readonly #reading = new Map<string, { stale: boolean }[]>();
  /** Whether messages arrive: the local tier is of no use otherwise. */
  hearing = false;

  constructor(
    readonly local: Provider,
    readonly bus: Bus,
    readonly channel: string,
    readonly clock: Clock,
  ) {}

  /** Reads remotely, and keeps what it finds here unless its key was changed meanwhile. */
  async read(key: string, remote: () => Promise<Seen>): Promise<Seen> {
    const reading = { stale: !this.hearing };
    const others = this.#reading.get(key);
    if (others) others.push(reading);
    else this.#reading.set(key, [reading]);
    try {
      const seen = await remote();
      if (!reading.stale && seen.value !== undefined) await this.keep(key, seen);
      return seen;
    } finally {
      const left = this.#reading.get(key)?.filter((one) => one !== reading) ?? [];
      if (left.length > 0) this.#reading.set(key, left);
      else this.#reading.delete(key);
    }
  }

  keep(key: string, seen: Seen): Awaitable<void> {
    const left = seen.expiresAt - this.clock.now();
    return left > 0 ? this.local.set(key, seen, left === Infinity ? undefined : left) : undefined;
  }

  /** Nothing is known here of the keys below a prefix any more. */
  clear(prefix: string): void {
    for (const [key, readings] of this.#reading) if (key.startsWith(prefix)) for (const reading of readings) reading.stale = true;
    void this.local.clear(prefix);
  }

  async tell(message: Omit<Message, 'from'>): Promise<void> {
    await this.bus.publish(this.channel, JSON.stringify({ from: this.id, ...message } satisfies Message), this.#all);
  }

  /** Drops a key here, and tells the others to. */
  async dropped(key: string): Promise<void> {
    this.drop(key);
    await this.tell({ key });
  }

  drop(key: string): void {
    for (const reading of this.#reading.get(key) ?? []) reading.stale = true;
    void this.local.delete(key);
  }
}

class TieredStore implements Store {
  readonly shared: SharedValues;
  readonly #tiers: Tiers;
  readonly #remote: Store;
  readonly #prefix: string;

  constructor(tiers: Tiers, remote: Store, prefix: string) {
    this.#tiers = tiers;
    this.#remote = remote;
    this.#prefix = prefix;
    const values = remote.shared as SharedValues;
    this.shared = {
      read: (key) => this.#read(key),
      begin: (key) => values.begin(key),
      put: async (key, stored, ttl, fence) => {
        const kept = await values.put(key, stored, ttl, fence);
        if (kept) await tiers.dropped(prefix + key);
        return kept;
      },
      leave: (key, fence) => values.leave(key, fence),
    };
  }

  async get(key: string): Promise<unknown> {
    return (await this.#read(key)).value;
  }

  async set(key: string, stored: unknown, ttlMs?: number): Promise<void> {
    this.#tiers.drop(this.#prefix + key);
    try {
      await this.#remote.set(key, stored, ttlMs);
    } finally {
      await this.#tiers.dropped(this.#prefix + key);
    }
  }

  async delete(key: string): Promise<boolean> {
    this.#tiers.drop(this.#prefix + key);
    try {
      return await this.#remote.delete(key);
    } finally {
      await this.#tiers.dropped(this.#prefix + key);
    }
  }

  has(key: string): Awaitable<boolean> {
    return this.#remote.has(key);
  }

  step<S extends object, P, D extends { readonly resetAfter: number }>(
    key: string,
    algorithm: Algorithm<S, P, D>,
    params: P,
  ): Awaitable<D> {
    return this.#remote.step(key, algorithm, params);
  }

  stepAll(steps: readonly Step[]): Awaitable<readonly Verdict[]> {
    return this.#remote.stepAll(steps);
  }

  async #read(key: string): Promise<Seen> {
    const whole = this.#prefix + key;
    const values = this.#remote.shared as SharedValues;
    if (this.#tiers.hearing) {
      const known = await this.#tiers.local.get(whole);
      if (known !== undefined) return known as Seen;
    }
    return this.#tiers.read(whole, () => values.read(key));
  }
}

class Tiered extends TieredStore implements Provider {
  readonly #tiers: Tiers;
  readonly #remote: Provider;
  readonly #tags = new Map<string, TieredTags>();
  readonly #subscription: Subscription;

  constructor(local: Provider, remote: Provider, bus: Bus, channel: string, clock: Clock) {
    const tiers = new Tiers(local, bus, channel, clock);
    super(tiers, remote, '');
    this.#tiers = tiers;
    this.#remote = remote;
    this.#subscription = bus.subscribe(channel, {
      message: (told) => this.#hear(told),
      up: () => {
        this.#forgetAll();
        tiers.hearing = true;
      },
      down: () => {
        tiers.hearing = false;
        this.#forgetAll();
      },
    });
  }

  get bus(): Bus {
    return this.#tiers.bus;
  }

  open(prefix: string): Store {
    return new TieredStore(this.#tiers, openStore(this.#remote, prefix), prefix);
  }

  tags(prefix: string): Tags {
    let tags = this.#tags.get(prefix);
    if (!tags) {
      const remote = this.#remote.tags?.(prefix);
      if (!remote) throw new OptionsError('tiered: option "remote" must be a provider that shares tags, such as redis()');
      tags = new TieredTags(
        remote,
        () => this.#tiers.hearing,
        (names, number) => this.#tiers.tell({ tags: { prefix, names, number } }),
      );
      this.#tags.set(prefix, tags);
    }
    return tags;
  }

  async clear(prefix: string): Promise<void> {
    this.#tiers.clear(prefix);
    try {
      await this.#remote.clear(prefix);
    } finally {
      this.#tiers.clear(prefix);
      await this.#tiers.tell({ prefix });
    }
  }

  watch(listener: (change: StoreChange) => void): () => void {
    return this.#remote.watch?.(listener) ?? (() => undefined);
  }

  async close(): Promise<void> {
    this.#subscription.close();
    this.#tiers.hearing = false;
    await this.#tiers.local.close();
    await this.#remote.close();
  }

  #hear(told: string): void {
    const message = messageIn(told);
    // What nobody of us wrote may mean anything.
    if (message === undefined) return this.#forgetAll();
    const { from, key, prefix, tags, all } = message;
    if (from === this.#tiers.id) return;
    if (all) this.#forgetAll();
    if (key !== undefined) this.#tiers.drop(key);
    if (prefix !== undefined) this.#tiers.clear(prefix);
    if (tags) this.#tags.get(tags.prefix)?.learn(tags.names, tags.number);
  }

  #forgetAll(): void {
    this.#tiers.clear('');
    for (const tags of this.#tags.values()) tags.forget();
  }
}
