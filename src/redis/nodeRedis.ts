import { slotOf } from './slot.js';
import { keepHearing } from './subscription.js';
import type { ServerWire, Wire } from './wire.js';

/** What is used of a plain node-redis client. */
interface Client {
  readonly options?: { readonly socket?: object };
  sendCommand(args: readonly string[]): Promise<unknown>;
  duplicate(override?: object): Client;
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (text: string) => void): Promise<unknown>;
  ping(): Promise<unknown>;
  on(event: string, listener: (...args: never[]) => void): unknown;
  destroy(): void;
}

interface Server {
  readonly address: string;
}

/** What is used of a cluster's client. */
interface Cluster {
  readonly masters: readonly Server[];
  readonly slots: readonly ({ readonly master: Server } | undefined)[];
  nodeClient(server: Server): Promise<Client> | Client;
  sendCommand(firstKey: string, isReadonly: boolean, args: readonly string[]): Promise<unknown>;
  destroy(): void;
}

/** What is used of a sentinel's client. */
interface Sentinel {
  sendCommand(isReadonly: boolean, args: readonly string[]): Promise<unknown>;
  subscribe(channel: string, listener: (text: string) => void): Promise<unknown>;
  unsubscribe(channel: string, listener: (text: string) => void): Promise<unknown>;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  ping(): Promise<unknown>;
  destroy(): void;
}

/** A wire over a client of node-redis: plain, cluster or sentinel. */
export function nodeRedisWire(given: object): Wire | undefined {
  if (typeof (given as Client).sendCommand !== 'function') return undefined;
  if ('masters' in given && 'slots' in given) return clusterWire(given as Cluster);
  if ('acquire' in given) return sentinelWire(given as unknown as Sentinel);
  return plainWire(given as Client);
}

/** One server, or what looks like one: the client finds it by itself. */
function singleWire(client: { destroy(): void }, send: (args: readonly string[]) => Promise<unknown>, subscribe: Wire['subscribe']): Wire {
  return {
    keyPrefix: '',
    send: (_key, args) => send(args),
    shardOf: () => 0,
    serverOf: () => 'redis',
    servers: () => [{ name: 'redis', send }],
    reconsider: () => undefined,
    subscribe,
    close: async () => client.destroy(),
  };
}

function plainWire(client: Client): Wire {
  return singleWire(
    client,
    (args) => client.sendCommand(args),
    (channel, hearing) => keepHearing(hearing, (lost, hold) => hear(client, channel, hearing.message, lost, hold)),
  );
}

function clusterWire(cluster: Cluster): Wire {
  return {
    keyPrefix: '',
    send: (key, args) => cluster.sendCommand(key, false, args),
    shardOf: slotOf,
    serverOf: (shard) => cluster.slots[shard]?.master.address ?? 'redis',
    servers: () =>
      cluster.masters.map((server): ServerWire => ({
        name: server.address,
        send: async (args) => (await cluster.nodeClient(server)).sendCommand(args),
      })),
    reconsider: () => undefined,
    subscribe: (channel, hearing) =>
      keepHearing(hearing, async (lost, hold) => {
        const { masters } = cluster;
        const server = masters[Math.floor(Math.random() * masters.length)];
        if (!server) throw new Error('no server of the cluster is known yet');
        return hear(await cluster.nodeClient(server), channel, hearing.message, lost, hold);
      }),
    close: async () => cluster.destroy(),
  };
}

function sentinelWire(sentinel: Sentinel): Wire {
  return singleWire(
    sentinel,
    (args) => sentinel.sendCommand(false, args),
    (channel, hearing) =>
      keepHearing(hearing, async (lost, hold) => {
        const listener = hearing.message;
        sentinel.on('topology-change', lost);
        hold(() => {
          sentinel.off('topology-change', lost);
          sentinel.unsubscribe(channel, listener).catch(() => undefined);
        });
        await sentinel.subscribe(channel, listener);
        return { ping: () => sentinel.ping() };
      }),
  );
}

async function hear(client: Client, channel: string, message: (text: string) => void, lost: () => void, hold: (close: () => void) => void) {
  const own = client.duplicate({ socket: { ...client.options?.socket, reconnectStrategy: false } });
  hold(() => own.destroy());
  own.on('error', lost);
  own.on('end', lost);
  await own.connect();
  await own.subscribe(channel, message);
  return { ping: () => own.ping() };
}
