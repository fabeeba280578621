import { type RedisServer, startRedis, until } from './redisServer.js';

/** A master and its replica, watched by three sentinels of which two have to agree. */
export interface RedisSentinel {
  /** The name that the sentinels know the master by. */
  readonly name: string;
  /** Where a client asks for the master. */
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** The processes of the sentinels, in the same order. */
  readonly sentinelServers: readonly RedisServer[];
  readonly master: RedisServer;
  readonly replica: RedisServer;
  stop(): Promise<void>;
}

const name = 'premier';

/** Starts them, and resolves when a failover would succeed. */
export async function startSentinel(): Promise<RedisSentinel> {
  const started: RedisServer[] = [];
  const start = async (...options: Parameters<typeof startRedis>) => {
    const server = await startRedis(...options);
    started.push(server);
    return server;
  };
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()));
  };
  try {
    const master = await start();
    const replica = await start({ args: ['--replicaof', master.host, String(master.port)] });
    await until('the replica to be one', async () =>
      String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
    );
    const config = configOf(master);
    const sentinelServers = await Promise.all(Array.from({ length: 3 }, () => start({ config, args: ['--sentinel'] })));
    await Promise.all(sentinelServers.map(hurry));
    await Promise.all(sentinelServers.map((sentinel) => until(`sentinel ${sentinel.port} to know the others`, () => isReady(sentinel))));
    const sentinels = sentinelServers.map(({ host, port }) => ({ host, port }));
    return { name, sentinels, sentinelServers, master, replica, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const configOf = ({ host, port }: RedisServer): string => `
sentinel monitor ${name} ${host} ${port} 2
sentinel down-after-milliseconds ${name} 500
sentinel failover-timeout ${name} 3000
`;

/** Lets a sentinel speak more often than every two seconds, and ask more often than every ten. Before Redis 7 it keeps its pace. */
async function hurry(sentinel: RedisServer): Promise<void> {
  const faster = sentinel.command('SENTINEL', 'DEBUG', 'PUBLISH-PERIOD', '200', 'INFO-PERIOD', '500');
  await faster.catch(() => undefined);
}

async function isReady(sentinel: RedisServer): Promise<boolean> {
  const master = fields(await sentinel.command('SENTINEL', 'MASTER', name));
  const [replica] = (await sentinel.command('SENTINEL', 'REPLICAS', name)) as unknown[];
  await sentinel.command('SENTINEL', 'CKQUORUM', name);
  return (
    master.get('flags') === 'master' &&
    master.get('num-other-sentinels') === '2' &&
    replica !== undefined &&
    fields(replica).get('flags') === 'slave' &&
    fields(replica).get('master-link-status') === 'ok'
  );
}

/** Reads a reply that is a list of names and values in turn. */
function fields(reply: unknown): ReadonlyMap<unknown, unknown> {
  const list = reply as unknown[];
  return new Map(list.flatMap((field, i) => (i % 2 === 0 ? [[field, list[i + 1]] as const] : [])));
}
