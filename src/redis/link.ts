import { randomBytes } from 'node:crypto';
import { all } from '../core/all.js';
import { type Clock, systemClock } from '../core/clock.js';
import { StoreUnavailableError } from '../core/errors.js';
import { guard } from '../core/events.js';
import type { LuaStep, StoreChange } from '../core/provider.js';
import { Ask } from './ask.js';
import { type AnyAsk, Batch, runScript } from './batch.js';
import { type Asked, Harness } from './harness.js';
import { Health } from './health.js';
import { type Debt, Owed } from './owed.js';
import type { ServerWire, Wire } from './wire.js';

/** What a link is made of. Milliseconds. */
export interface LinkOptions {
  readonly wire: Wire;
  readonly deadline: number;
  /** Tells the time in place of Redis and of this machine: for tests. */
  readonly clock: Clock | undefined;
}

/** Everything between the provider and its servers: batches by shard, health by server, and what is owed to a server that was down. */
export class Link {
  readonly wire: Wire;
  readonly clock: Clock;
  /** Whether time is told from outside. */
  readonly told: boolean;
  readonly #deadline: number;
  readonly #harness = new Harness();
  readonly #batches = new Map<number, Batch>();
  readonly #servers = new Map<string, Health>();
  readonly #listeners = new Set<(change: StoreChange) => void>();
  readonly #owed = new Owed(
    (prefix) => this.#clearing(prefix),
    (server) => this.#servers.get(server)?.up !== false,
  );
  readonly #node = randomBytes(9).toString('base64url');
  #tokens = 0;
  #batch: Batch | undefined;

  constructor({ wire, deadline, clock }: LinkOptions) {
    this.wire = wire;
    this.clock = clock ?? systemClock;
    this.told = clock !== undefined;
    this.#deadline = deadline;
  }

  /** A text that nobody else makes. */
  token(): string {
    return `${this.#node}${(this.#tokens++).toString(36)}`;
  }

  /** Whether the server of a key can be reached, as far as is known. */
  up(key: string): boolean {
    return this.#servers.size === 0 || this.#health(this.wire.shardOf(key)).up;
  }

  /** Whether every server can be reached. */
  get healthy(): boolean {
    return [...this.#servers.values()].every(({ up }) => up);
  }

  /** What is stored under a key, as `decode` reads it: a text, or `null`. It must not throw. */
  read<T>(key: string, decode: (text: unknown) => T): Promise<T> {
    return this.#of(key).read(key, decode);
  }

  /** One step on a state. */
  ask(ask: AnyAsk): void {
    this.#of(ask.key).step(ask, false);
  }

  /** Several steps, taken all or none: on a cluster their keys must share a slot. */
  askAll(asks: readonly AnyAsk[]): void {
    const [first] = asks;
    if (!first) return;
    const batch = this.#of(first.key);
    batch.reserve(asks.length);
    for (const ask of asks) batch.step(ask, false);
  }

  /** One step on a key that is also read. */
  change<P, D>(key: string, step: LuaStep<P, D>, params: P): Promise<D> {
    return new Promise((resolve, reject) =>
      this.#of(key).step(new Ask(key, step, params, step.args(params), false, resolve, reject) as unknown as AnyAsk, true),
    );
  }

  /** Does something that must not get lost: when its server cannot be reached, it is done as soon as that is back, and the error says so. */
  async must<T>(id: string, debt: Debt, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || !error.down) throw error;
      this.#owed.add(id, debt);
      throw new StoreUnavailableError(`${error.message}; it is done as soon as that is possible, if this process lives`, { cause: error });
    }
  }

  /** Changes a key in a way that must not get lost. */
  mustChange<P, D>(id: string, prefix: string, key: string, step: LuaStep<P, D>, params: P): Promise<D> {
    const debt = { server: () => this.serverOf(key), prefix, action: () => this.now(key, step, params) };
    return this.must(id, debt, () => this.change(key, step, params));
  }

  /** The server that a key lies on. */
  serverOf(key: string): string {
    return this.wire.serverOf(this.wire.shardOf(key));
  }

  /** One step now, by itself, whatever is known of the server. */
  async now<P, D>(key: string, step: LuaStep<P, D>, params: P): Promise<D> {
    const asked: Asked = { key, step, args: step.args(params), joined: false };
    const run = this.#harness.run([asked], this.told ? this.clock.now() : undefined);
    const replies = await this.#health(this.wire.shardOf(key)).attempt(() => runScript(this.wire, key, run));
    return step.decision(Harness.reply(replies as readonly unknown[], 0), params);
  }

  /** Drops every key that begins with a prefix, on every server, a thousand at a time. */
  clear(prefix: string): Promise<void> {
    return this.must(`clear ${prefix}`, this.#clearing(prefix), () =>
      this.#clear(prefix, (server, operation) => this.#healthOf(server.name).guard(operation, () => server.send(['PING']))),
    );
  }

  #clearing(prefix: string): Debt {
    return {
      server: () => undefined,
      prefix,
      action: () => this.#clear(prefix, ({ name }, operation) => this.#healthOf(name).attempt(operation)),
    };
  }

  async #clear(prefix: string, run: (server: ServerWire, operation: () => Promise<unknown>) => Promise<unknown>): Promise<void> {
    const pattern = (this.wire.keyPrefix + prefix).replaceAll(/[*?[\]\\^-]/g, '\\$&') + '*';
    const each = async (server: ServerWire): Promise<void> => {
      let cursor = '0';
      do {
        const found = await run(server, () => server.send(['SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000']));
        const [next, keys] = found as [string | number, string[]];
        cursor = String(next);
        await Promise.all(
          this.#together(keys).map(([first, ...others]) => run(server, () => this.wire.send(first, ['UNLINK', first, ...others]))),
        );
      } while (cursor !== '0');
    };
    await all(this.wire.servers().map(each));
  }

  /** Tells the other processes. Where too much of it is owed, they are told `instead` once. */
  publish(channel: string, text: string, instead?: string): Promise<unknown> {
    const server = (): string => this.serverOf(channel);
    const send = (told: string) => (): Promise<unknown> => this.wire.send(channel, ['PUBLISH', channel, told]);
    const owing = (told: string, other?: string): Debt => ({
      server,
      prefix: undefined,
      action: () => this.#healthOf(server()).attempt(send(told)),
      instead: other === undefined ? undefined : { id: `publish ${other}`, debt: owing(other) },
    });
    return this.must(`publish ${text}`, owing(text, instead), () => this.#healthOf(server()).guard(send(text), send(text)));
  }

  watch(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(own: boolean): Promise<void> {
    this.#owed.close();
    for (const health of this.#servers.values()) health.close();
    if (own) await this.wire.close();
  }

  /** Keys of one slot each, without the prefix that the client puts before them again. */
  #together(keys: readonly string[]): [string, ...string[]][] {
    const groups = new Map<number, [string, ...string[]]>();
    for (const whole of keys) {
      const key = whole.slice(this.wire.keyPrefix.length);
      const group = groups.get(this.wire.shardOf(key));
      if (group) group.push(key);
      else groups.set(this.wire.shardOf(key), [key]);
    }
    return [...groups.values()];
  }

  #of(key: string): Batch {
    const shard = this.wire.shardOf(key);
    if (shard === 0 && this.#batch) return this.#batch;
    let batch = this.#batches.get(shard);
    if (!batch) {
      batch = new Batch(this.wire, this.#harness, () => this.#health(shard), this.told ? () => this.clock.now() : undefined);
      this.#batches.set(shard, batch);
      if (shard === 0) this.#batch = batch;
    }
    return batch;
  }

  #health(shard: number): Health {
    return this.#healthOf(this.wire.serverOf(shard));
  }

  #healthOf(store: string): Health {
    let health = this.#servers.get(store);
    if (!health) {
      health = new Health({
        store,
        deadline: this.#deadline,
        heal: () => this.#owed.settle(store),
        lost: () => this.wire.reconsider(),
        changed: (change) => {
          for (const listener of this.#listeners) guard(() => listener(change));
        },
      });
      this.#servers.set(store, health);
    }
    return health;
  }
}
