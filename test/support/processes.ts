import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { type Clock, Premier, type PremierOptions, type Provider, tiered, memory } from 'premier';
import { redis, type RedisOptions } from 'premier/redis';
import { deferred } from './doubles.js';
import type { FakeClock } from 'premier/testing';
import { type ClientKind, openClient } from './redisClients.js';

/** What Redis takes for a process: a Premier with a provider and a client of its own. */
export interface Process {
  readonly premier: Premier;
  readonly provider: Provider;
}

/** How the processes of a test are made. */
export interface ProcessOptions {
  readonly url: string;
  readonly keyspace?: string;
  readonly clock?: Clock;
  readonly tiered?: boolean;
  readonly client?: ClientKind;
  readonly redis?: Partial<RedisOptions>;
  readonly premier?: PremierOptions;
}

/** Makes processes that share a keyspace of their own, and ends them after the test. */
export function processes<N extends keyof Processes>(t: TestContext, count: N, options: ProcessOptions): Processes[N] {
  const { clock, url, keyspace = randomUUID() } = options;
  return Array.from({ length: count }, (): Process => {
    const { client, close } = openClient(options.client ?? 'ioredis 6', url);
    // A busy machine is not a store that is down.
    const remote = redis({ client, deadline: 5, ...(clock && { clock }), ...options.redis });
    const provider = options.tiered
      ? tiered({ local: memory(clock && { clock }), remote, channel: keyspace, ...(clock && { clock }) })
      : remote;
    const premier = new Premier({ keyspace, provider, random: () => 0.5, ...(clock && { clock }), ...options.premier });
    t.after(async () => {
      await premier.close();
      close();
    });
    return { premier, provider };
  }) as never as Processes[N];
}

/** So many of them. */
export interface Processes {
  readonly 1: readonly [Process];
  readonly 2: readonly [Process, Process];
  readonly 3: readonly [Process, Process, Process];
}

/** A client to look at what lies in Redis, that ends with the test. */
export function rawClient(t: TestContext, url: string): Redis {
  const client = new Redis(url);
  client.on('error', () => undefined);
  t.after(() => client.disconnect());
  return client;
}

/** A function that is loaded from: each run waits for its own gate. */
export function gated<T = string>() {
  const gates: ReturnType<typeof deferred<T>>[] = [];
  const waiting: { readonly runs: number; readonly resolve: () => void }[] = [];
  return {
    gates,
    run(): Promise<T> {
      const gate = deferred<T>();
      gates.push(gate);
      for (const { runs, resolve } of waiting) if (gates.length >= runs) resolve();
      return gate.promise;
    },
    /** Resolves when it has begun so many times. */
    begun(runs: number): Promise<void> {
      const begun = deferred();
      if (gates.length >= runs) begun.resolve();
      else waiting.push({ runs, resolve: begun.resolve });
      return begun.promise;
    },
  };
}

/** Lets the clock run until the condition holds, in real time enough for Redis to answer; whether it did within so many seconds of the clock. */
export async function passing(clock: FakeClock, seconds: number, holds: () => boolean): Promise<boolean> {
  for (let passed = 0; passed < seconds && !holds(); passed += 0.05) {
    await clock.advance('50ms');
    await sleep(4);
  }
  return holds();
}

/** Lets so many seconds of the clock run by, in steps. */
export async function pass(clock: FakeClock, seconds: number): Promise<void> {
  await passing(clock, seconds, () => false);
}
