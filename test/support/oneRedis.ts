import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { Premier } from 'premier';
import { redis, type RedisClient } from 'premier/redis';
import { type OpenClient, openClient } from './redisClients.js';
import { type RedisServer, startRedis } from './redisServer.js';

/** One server and one client for all tests of a file. */
export function oneRedis() {
  let server: RedisServer;
  let open: OpenClient;
  before(async () => {
    server = await startRedis();
    open = openClient('ioredis 6', server.url);
  });
  after(async () => {
    open.close();
    await server.stop();
  });

  const keysOf = async (keyspace: string): Promise<readonly string[]> =>
    ((await server.command('KEYS', '*')) as string[]).filter((key) => key.startsWith(`${keyspace}:`)).toSorted();
  return {
    get server(): RedisServer {
      return server;
    },
    get client(): RedisClient {
      return open.client;
    },
    setUp(keyspace: string = randomUUID()) {
      const provider = redis({ client: open.client, deadline: 5 });
      return { keyspace, provider, premier: new Premier({ provider, keyspace }) };
    },
    keysOf,
    /** Every key of a keyspace has a time to live. */
    async everyKeyEnds(keyspace: string, what: string): Promise<void> {
      for (const key of await keysOf(keyspace)) {
        const ttl = Number(await server.command('PTTL', key));
        assert.ok(ttl > 0 || ttl === -2, `${key} has a time to live after ${what}`);
      }
    },
  };
}
