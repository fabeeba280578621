import { type RedisServer, startRedis, until } from './redisServer.js';

/** A real Redis Cluster of a test's own: three masters, and a replica for each if wanted. */
export interface RedisCluster {
  /** The masters, then the replicas. */
  readonly nodes: readonly RedisServer[];
  readonly masters: readonly RedisServer[];
  /** In the order of their masters. */
  readonly replicas: readonly RedisServer[];
  /** Where a client may begin: every node. */
  readonly seeds: readonly { readonly host: string; readonly port: number }[];
  stop(): Promise<void>;
}

const size = 3;
const slots = 16_384;
const args = '--cluster-enabled yes --cluster-node-timeout 1500 --cluster-replica-validity-factor 0'.split(' ');

/** Starts a cluster, and resolves when every node knows all others and serves. That takes two seconds: a master serves no earlier. */
export async function startCluster({ replicas: replicated = false }: { readonly replicas?: boolean } = {}): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: replicated ? 2 * size : size }, () => startRedis({ args })));
  const [masters, replicas] = [nodes.slice(0, size), nodes.slice(size)];
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    await Promise.all(masters.map((master, i) => master.command('CLUSTER', 'ADDSLOTS', ...slotsOf(i))));
    await meet(nodes);
    await Promise.all(replicas.map((replica, i) => replicate(replica, masters[i] as RedisServer)));
    await Promise.all(nodes.map((node) => until(`node ${node.port} to know its cluster`, () => isSettled(node, nodes))));
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, masters, replicas, seeds: nodes.map(({ host, port }) => ({ host, port })), stop };
}

function slotsOf(master: number): string[] {
  const [first, end] = [master, master + 1].map((i) => Math.floor((i * slots) / size)) as [number, number];
  return Array.from({ length: end - first }, (_, i) => String(first + i));
}

/** Introduces every pair, and gives each node an epoch, so that they need not gossip nor settle whose is the latest. */
async function meet(nodes: readonly RedisServer[]): Promise<void> {
  await Promise.all(nodes.map((node, i) => node.command('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))));
  const pairs = nodes.flatMap((one, i) => nodes.slice(i + 1).map((other) => [one, other] as const));
  await Promise.all(pairs.map(([one, { host, port }]) => one.command('CLUSTER', 'MEET', host, String(port))));
}

async function replicate(replica: RedisServer, master: RedisServer): Promise<void> {
  const id = String(await master.command('CLUSTER', 'MYID'));
  await until(`node ${replica.port} to meet its master`, async () => (await replica.command('CLUSTER', 'REPLICATE', id)) === 'OK');
  await until(`node ${replica.port} to be a replica`, async () => {
    const info = String(await replica.command('INFO', 'replication'));
    return info.includes('master_link_status:up');
  });
  // A replica that has received nothing yet is not told to clients.
  await master.command('FLUSHALL');
}

/** Whether a client that asks this node hears of every other. */
async function isSettled(node: RedisServer, { length }: readonly RedisServer[]): Promise<boolean> {
  const info = String(await node.command('CLUSTER', 'INFO'));
  const known = String(await node.command('CLUSTER', 'NODES'))
    .trimEnd()
    .split('\n');
  const shards = (await node.command('CLUSTER', 'SLOTS')) as unknown[][];
  return (
    info.includes('cluster_state:ok') &&
    known.length === length &&
    known.every((line) => line.split(' ')[7] === 'connected') &&
    shards.length === size &&
    shards.every(([, , ...servers]) => servers.length === length / size)
  );
}
