import { Redis } from 'ioredis5';
const r = new Redis(7900);
const V = { one: 'return 1', time: `local t=redis.call('TIME') return 1`, getset: `redis.call('GET',KEYS[1]) redis.call('SETRANGE',KEYS[1],'0','xxxxxxxxxxxxxxxx') return {1,2,3,4}` };
for (const round of [0, 1]) for (const [name, src] of Object.entries(V)) {
  const sha = await r.script('LOAD', src); await r.set('kk', 'x'.repeat(24));
  await r.config('RESETSTAT');
  for (let i = 0; i < 2000; i++) await r.evalsha(sha, 1, 'kk');
  const info = await r.info('commandstats');
  console.log(name, Number(new RegExp(`cmdstat_evalsha:.*usec=(\\d+)`).exec(info)[1]) / 2000);
}
process.exit(0);
