import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { memory, Premier, QuotaExceedsError } from 'premier';
import { redis, tiered } from 'premier/redis';
import { algorithmLaws, providerLaws } from 'premier/testing';
import { createClient } from 'redis';
import { check, deadUrl } from './harness.mjs';

const url = process.env.PREMIER_TEST_REDIS_URL;

for (const { name, check: law } of algorithmLaws()) check(`algorithms: ${name}`, law);
for (const { name, check: law } of providerLaws({ make: (clock) => memory({ clock }) })) check(`memory: ${name}`, law);

/** Both clients, opened when the first law needs them. */
const clients = {
  ioredis: async (undo) => {
    const client = new Redis(url);
    undo(() => client.disconnect());
    return { client, empty: () => client.flushall() };
  },
  'node-redis': async (undo) => {
    const client = createClient({ url });
    client.on('error', () => undefined);
    await client.connect();
    undo(() => client.destroy());
    return { client, empty: () => client.flushAll() };
  },
};

for (const [kind, connect] of Object.entries(clients)) {
  const laws = (make) => providerLaws({ make });
  for (const [i, { name }] of laws(() => undefined).entries()) {
    check(`redis by ${kind}: ${name}`, async (undo) => {
      const { client, empty } = await connect(undo);
      await laws(async (clock) => {
        await empty();
        return redis({ client, clock, deadline: 5 });
      })[i].check();
    });
  }
}

check('redis: two Premiers share a quota', async (undo) => {
  const keyspace = `two${Date.now()}`;
  const premiers = [0, 1].map(() => new Premier({ keyspace, provider: redis({ url, deadline: 5 }) }));
  for (const premier of premiers) undo(() => premier.close());
  const [one, two] = premiers.map((premier) => premier.fixedWindow({ name: 'all', quota: 1, duration: 60 })(async () => 'ran'));
  assert.equal(await one(), 'ran');
  await assert.rejects(two(), QuotaExceedsError);
});

check('tiered: what one Premier drops, the other one forgets', async (undo) => {
  const keyspace = `tiered${Date.now()}`;
  let runs = 0;
  const make = () => {
    const premier = new Premier({ keyspace, provider: tiered({ local: memory(), remote: redis({ url, deadline: 5 }) }) });
    undo(() => premier.close());
    return { premier, find: premier.cacheResult({ name: 'find', expireS: 60 })(async () => ++runs) };
  };
  const [one, two] = [make(), make()];
  for (const { find } of [one, two]) for (let i = 0; i < 2; i++) assert.equal(await find(), 1);
  await one.premier.invalidate(one.find);
  assert.equal(await one.find(), 2);
  // Its copy is there until the message has come.
  while ((await two.find()) === 1) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(await two.find(), 2);
});

check('redis: while it is away, limiters limit in the process', async (undo) => {
  const premier = new Premier({ provider: redis({ url: (await deadUrl()).replace('http', 'redis'), deadline: '50ms' }) });
  undo(() => premier.close());
  const limited = premier.slidingWindow({ name: 'away', quota: 1, duration: 60 })(async () => 'ran');
  assert.equal(await limited(), 'ran');
  await assert.rejects(limited(), QuotaExceedsError);
});
