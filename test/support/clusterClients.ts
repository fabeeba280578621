import type { RedisClient } from 'premier/redis';
import { Cluster } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis5';
import { createCluster } from 'redis';
import { slotOf } from '../../src/redis/slot.js';
import type { RedisCluster } from './redisCluster.js';

/** The clients of a cluster that premier/redis is tried with. */
export type ClusterClientKind = 'ioredis 6' | 'ioredis 5' | 'node-redis' | 'ioredis 6, pipelining by itself';

/** All of them. */
export const clusterClientKinds: readonly ClusterClientKind[] = ['ioredis 6', 'ioredis 5', 'node-redis', 'ioredis 6, pipelining by itself'];

/** A client of a test's own. */
export interface ClusterClient {
  readonly client: RedisClient;
  readonly close: () => void;
}

/** Opens a client with nothing but the addresses of the nodes. */
export async function openClusterClient(kind: ClusterClientKind, { seeds }: RedisCluster): Promise<ClusterClient> {
  if (kind === 'node-redis') {
    const client = createCluster({ rootNodes: seeds.map(({ host, port }) => ({ url: `redis://${host}:${port}` })) });
    client.on('error', () => undefined);
    await client.connect();
    return { client, close: () => client.destroy() };
  }
  const client = kind === 'ioredis 5' ? new Cluster5([...seeds]) : new Cluster([...seeds], { enableAutoPipelining: kind !== 'ioredis 6' });
  client.on('error', () => undefined);
  return { client, close: () => client.disconnect() };
}

/** A key that lies on one of the three masters when it stands behind the prefix. */
export function keyOn(master: number, prefix: string): string {
  for (let i = 0; ; i++) if (Math.floor((slotOf(`${prefix}${i}`) * 3) / 16_384) === master) return String(i);
}
