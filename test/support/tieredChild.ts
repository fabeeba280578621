import { Redis } from 'ioredis';
import { memory, Premier } from 'premier';
import { redis, tiered } from 'premier/redis';

/** A process with a tiered cache, that does what it is told and ends by itself when told to close. */
const [, , url = '', keyspace = ''] = process.argv;
const client = new Redis(url);
const provider = tiered({ local: memory(), remote: redis({ client, deadline: 5 }), channel: keyspace });
const premier = new Premier({ keyspace, provider });
const answer = (value: unknown): void => void process.send?.({ value });

process.on('message', ({ action, key, value }: { action: string; key: string; value?: string }) => {
  if (action === 'get') void premier.cache.get(key).then(answer);
  else if (action === 'set') void premier.cache.set(key, value, { tags: ['t'] }).then(answer);
  else if (action === 'bump') void premier.invalidateTags('t').then(answer);
  else {
    process.disconnect();
    void premier.close().then(() => client.quit());
  }
});
answer('ready');
