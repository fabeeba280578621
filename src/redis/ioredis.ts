import { slotOf } from './slot.js';
import { keepHearing } from './subscription.js';
import type { ServerWire, Wire } from './wire.js';

/** What is used of an ioredis client. */
interface Client {
  readonly status?: string;
  readonly isCluster?: boolean;
  readonly options?: { readonly keyPrefix?: string; readonly host?: string; readonly port?: number };
  /** A cluster's servers by slot, the one that writes first. */
  readonly slots?: readonly (readonly string[])[];
  call(command: string, args: readonly string[]): Promise<unknown>;
  nodes?(role: 'master'): readonly Client[];
  duplicate(override: object): Client;
  on(event: string, listener: (...args: never[]) => void): unknown;
  subscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  connect(): Promise<void>;
  disconnect(reconnect?: boolean): void;
  refreshSlotsCache?(done: () => void): void;
  quit(): Promise<unknown>;
}

/** How long a server may take to say goodbye, in milliseconds. */
const goodbyeMs = 200;

/** A wire over an ioredis client: plain, Cluster or Sentinel, version 5 or 6. */
export function ioredisWire(given: object): Wire | undefined {
  const client = given as Client;
  if (typeof client.call !== 'function' || typeof client.duplicate !== 'function') return undefined;
  const cluster = client.isCluster === true;
  const keyPrefix = client.options?.keyPrefix ?? '';
  const servers = (): readonly Client[] => (cluster && client.nodes ? client.nodes('master') : [client]);
  return {
    keyPrefix,
    send: (_key, args) => call(client, args),
    shardOf: cluster ? (key) => slotOf(keyPrefix + key) : () => 0,
    serverOf: (shard) => client.slots?.[shard]?.[0] ?? 'redis',
    servers: () =>
      servers().map((one): ServerWire => ({
        name: cluster ? `${one.options?.host}:${one.options?.port}` : 'redis',
        send: (args) => call(one, args),
      })),
    reconsider() {
      // Commands that were not answered are sent again by ioredis itself.
      if (client.refreshSlotsCache) client.refreshSlotsCache(() => undefined);
      else if (client.status === 'ready') client.disconnect(true);
    },
    subscribe: (channel, hearing) =>
      keepHearing(hearing, async (lost, hold) => {
        // On a cluster one server hears what all of them publish.
        const known = servers();
        const server = known[Math.floor(Math.random() * known.length)];
        if (!server) throw new Error('no server of the cluster is known yet');
        const own = server.duplicate({
          lazyConnect: true,
          retryStrategy: null,
          autoResubscribe: false,
          maxRetriesPerRequest: null,
          disconnectTimeout: 10,
        });
        hold(() => own.disconnect());
        // An error comes with the loss of the connection, which is told by itself.
        own.on('error', () => undefined);
        own.on('close', lost);
        own.on('message', (_channel: string, text: string) => hearing.message(text));
        await own.connect();
        await own.subscribe(channel);
        return { ping: () => own.ping() };
      }),
    async close() {
      // A server that hangs is not waited for.
      const patience = new Promise((resolve) => setTimeout(resolve, goodbyeMs).unref());
      if (client.status === 'ready') await Promise.race([client.quit().catch(() => undefined), patience]);
      client.disconnect();
    },
  };
}

function call(client: Client, [command, ...args]: readonly string[]): Promise<unknown> {
  return client.call(command as string, args);
}
