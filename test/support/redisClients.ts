import type { RedisClient } from 'premier/redis';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';

/** The clients that premier/redis is tried with, each with its own defaults. */
export type ClientKind = 'ioredis 6' | 'ioredis 5' | 'node-redis';

/** All of them. */
export const clientKinds: readonly ClientKind[] = ['ioredis 6', 'ioredis 5', 'node-redis'];

/** A client of a test's own. */
export interface OpenClient {
  readonly client: RedisClient;
  /** How many commands wait in it for a reply, or for a connection; not known of node-redis. */
  readonly waiting: () => number;
  readonly close: () => void;
}

/** What is used of ioredis, 5 or 6, to look into it. */
interface Queues {
  readonly commandQueue: { readonly length: number };
  readonly offlineQueue: { readonly length: number };
}

/** Opens a client with nothing but a URL. It needs no server yet. */
export function openClient(kind: ClientKind, url: string): OpenClient {
  if (kind === 'node-redis') {
    const client = createClient({ url });
    client.on('error', () => undefined);
    client.connect().catch(() => undefined);
    return { client, waiting: () => 0, close: () => client.destroy() };
  }
  const client = kind === 'ioredis 6' ? new Redis(url) : new Redis5(url);
  client.on('error', () => undefined);
  const queues = client as unknown as Queues;
  return { client, waiting: () => queues.commandQueue.length + queues.offlineQueue.length, close: () => client.disconnect() };
}
