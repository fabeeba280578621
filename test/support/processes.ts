import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { type Clock, Premier, type PremierOptions, type Provider, tiered, memory } from 'premier';
import { redis, type RedisOptions } from 'premier/redis';
import { createClient } from 'redis';
import { deferred } from './doubles.js';

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
  readonly client?: 'ioredis' | 'node-redis';
  readonly redis?: Partial<RedisOptions>;
  readonly premier?: PremierOptions;
}

/** Makes processes that share a keyspace of their own, and ends them after the test. */
export async function processes<N extends number>(t: TestContext, count: N, options: ProcessOptions): Promise<Process[]> {
  const { clock, url, keyspace = randomUUID() } = options;
  return Promise.all(
    Array.from({ length: count }, async () => {
      const client = await clientOf(t, url, options.client);
      // A busy machine is not a store that is down.
      const remote = redis({ client, deadline: 5, ...(clock && { clock }), ...options.redis });
      const provider = options.tiered ? tiered({ local: memory(clock && { clock }), remote, ...(clock && { clock }) }) : remote;
      const premier = new Premier({ keyspace, provider, random: () => 0.5, ...(clock && { clock }), ...options.premier });
      t.after(() => premier.close());
      return { premier, provider };
    }),
  );
}

/** A client that ends with the test. */
export async function clientOf(t: TestContext, url: string, kind: 'ioredis' | 'node-redis' = 'ioredis'): Promise<object> {
  if (kind === 'node-redis') {
    const client = createClient({ url });
    client.on('error', () => undefined);
    await client.connect();
    t.after(() => client.destroy());
    return client;
  }
  const client = rawClient(t, url);
  await client.ping();
  return client;
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
