import { once } from 'node:events';
import Redis from 'ioredis';
import Redis6 from 'ioredis6';
import { createClient } from 'redis';
import { redis } from '../../../dist/redis.mjs';
import { Premier } from '../premier.mjs';

const ioredis = (Client) => async (port) => {
  const client = new Client({ port, host: '127.0.0.1' });
  await once(client, 'ready');
  return client;
};

/** A connection, by the client that makes it. */
export const clients = {
  'ioredis 5': ioredis(Redis),
  'ioredis 6': ioredis(Redis6),
  'node-redis': (port) => createClient({ socket: { host: '127.0.0.1', port } }).connect(),
};

let keyspaces = 0;

/** A Premier over a client, in a keyspace of its own. `around` puts another provider around that of Redis. */
export function premierOn(client, around = (provider) => provider) {
  // Redis that is away for a moment must not turn into limits kept in this process, which cost nothing.
  const provider = redis({ client, deadline: 5, whenDown: 'closed' });
  provider.watch(({ up, error }) => {
    if (!up) queueMicrotask(() => Promise.reject(error));
  });
  return new Premier({ provider: around(provider), keyspace: `bench${keyspaces++}` });
}

/** Hand-written: what a tick asks for is sent together by `send`, which resolves with a result for each. */
export function perTick(send) {
  let tick;
  return (key) =>
    new Promise((resolve, reject) => {
      if (tick === undefined) {
        const asked = (tick = { keys: [], waiting: [] });
        process.nextTick(() => {
          tick = undefined;
          send(asked.keys).then(
            (results) => asked.waiting.forEach((waiter, i) => waiter.resolve(results[i])),
            (error) => asked.waiting.forEach((waiter) => waiter.reject(error)),
          );
        });
      }
      tick.keys.push(key);
      tick.waiting.push({ resolve, reject });
    });
}
