import { type Clock, systemClock } from '../core/clock.js';
import { OptionsError } from '../core/errors.js';
import type { Algorithm, Bus, Hearing, Provider, SharedValues, Step, Store, StoreChange, Subscription, Verdict } from '../core/provider.js';
import { memory } from '../providers/memory.js';
import { Batch } from './ipcBatch.js';
import type { Conversation } from './ipcConversation.js';
import { type AnyAlgorithm, type StepText, travelling } from './ipcStore.js';
import { LocalValues } from './ipcValues.js';

/** Options of a worker's provider. */
export interface IpcProviderOptions {
  readonly clock?: Clock;
  /** How long a step may wait for the primary process, in milliseconds. */
  readonly deadline?: number;
  /** Where the worker keeps cached values. */
  readonly local?: Provider;
}

/** What cached values may take in one worker. */
const room = 128 * 1024 * 1024;

/** The keys below a prefix: counted by the primary process, cached here. */
class IpcStore implements Store {
  readonly shared: SharedValues;
  protected readonly batch: Batch;
  protected readonly values: LocalValues;
  readonly #prefix: string;

  constructor(batch: Batch, values: LocalValues, prefix: string) {
    this.batch = batch;
    this.values = values;
    this.#prefix = prefix;
    this.shared = {
      read: async (key) => values.read(prefix + key),
      begin: async (key) => values.begin(prefix + key),
      put: async (key, value, ttlMs, fence) => values.put(prefix + key, value, ttlMs, fence),
      leave: async (key) => values.leave(prefix + key),
    };
  }

  get(key: string, now?: number): unknown {
    return this.values.get(this.#prefix + key, now);
  }

  set(key: string, value: unknown, ttlMs?: number, now?: number): void {
    this.values.set(this.#prefix + key, value, ttlMs, now);
  }

  /** Drops it here, where it is counted, and in every other worker. */
  async delete(key: string): Promise<boolean> {
    const here = this.values.drop(this.#prefix + key);
    const there = await this.batch.ask<boolean>(['drop', this.#prefix + key]);
    return here || there;
  }

  has(key: string): Promise<boolean> | true {
    if (this.values.get(this.#prefix + key) !== undefined) return true;
    return this.batch.ask(['has', this.#prefix + key]);
  }

  step<S extends object, P, D extends { readonly resetAfter: number }>(key: string, algorithm: Algorithm<S, P, D>, params: P): Promise<D> {
    return this.batch.ask(['step', this.#text(key, algorithm as unknown as AnyAlgorithm, params)]);
  }

  stepAll(steps: readonly Step[]): Promise<readonly Verdict[]> {
    const texts = steps.map(({ key, algorithm, params }) => this.#text(key, algorithm as unknown as AnyAlgorithm, params));
    return this.batch.ask(['all', texts]);
  }

  #text(key: string, algorithm: AnyAlgorithm, params: unknown): StepText {
    if (travelling.get(algorithm.name) === algorithm) return [this.#prefix + key, algorithm.name, params];
    throw new OptionsError(
      `workers: the primary process does not know the algorithm '${algorithm.name}'; set store.redis, or run one process`,
    );
  }
}

/**
 * A worker's view of what all workers share. Steps are taken in the primary process, so that limits are exact; cached values stay in the
 * worker, whoever drops one drops it in all of them.
 */
export class IpcProvider extends IpcStore implements Provider {
  readonly bus: Bus;
  readonly #channels = new Map<string, Set<Hearing>>();
  readonly #listeners = new Set<(change: StoreChange) => void>();

  constructor(conversation: Conversation, { clock = systemClock, deadline = 1000, local }: IpcProviderOptions = {}) {
    const batch = new Batch(conversation, clock, deadline, (change) => this.#tell(change));
    super(batch, new LocalValues(local ?? memory({ clock, maxBytes: room }), clock), '');
    this.bus = {
      publish: async (channel, text) => conversation.tell('publish', [channel, text]),
      subscribe: (channel, hearing) => this.#subscribe(channel, hearing),
    };
  }

  open(prefix: string): Store {
    return new IpcStore(this.batch, this.values, prefix);
  }

  async clear(prefix: string): Promise<void> {
    this.values.clear(prefix);
    await this.batch.ask(['clear', prefix]);
  }

  watch(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#channels.clear();
    this.#listeners.clear();
  }

  /** Another worker dropped keys. */
  dropped(kind: 'drop' | 'clear', key: string): void {
    if (kind === 'drop') this.values.drop(key);
    else this.values.clear(key);
  }

  /** Somebody told something on a channel. */
  heard(channel: string, text: string): void {
    for (const { message } of this.#channels.get(channel) ?? []) message(text);
  }

  #tell(change: StoreChange): void {
    for (const listener of this.#listeners) listener(change);
    for (const hearings of this.#channels.values()) for (const hearing of hearings) (change.up ? hearing.up : hearing.down)();
  }

  #subscribe(channel: string, hearing: Hearing): Subscription {
    const hearings = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, hearings.add(hearing));
    queueMicrotask(() => {
      if (hearings.has(hearing) && this.batch.up) hearing.up();
    });
    return { close: () => void hearings.delete(hearing) };
  }
}
