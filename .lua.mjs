import { Redis } from 'ioredis5';
const r = new Redis(7900); await r.flushall();
const keys = Array.from({ length: 255 }, (_, i) => 'app:throttle:fixedWindow/fixed_window/d:key' + i);
const variants = {
 set: `local c=redis.call for i=1,#KEYS do c('SET',KEYS[i],'xxxxxxxxxxxxxxxx','PX','60010') end return 1`,
 setcache: `local c=redis.call local t={} for i=1,#KEYS do local m,e=math.frexp(60000+i) local g=math.ldexp(1,e-5) local v=math.ceil((60000+i)/g)*g local x=t[v] if not x then x=string.format('%d',v) t[v]=x end c('SET',KEYS[i],'xxxxxxxxxxxxxxxx','PX',x) end return 1`,
 keepttl: `local c=redis.call for i=1,#KEYS do c('SET',KEYS[i],'xxxxxxxxxxxxxxxx','KEEPTTL') end return 1`,
 setrange: `local c=redis.call for i=1,#KEYS do c('SETRANGE',KEYS[i],'0','xxxxxxxxxxxxxxxx') end return 1`,
 setplain: `local c=redis.call for i=1,#KEYS do c('SET',KEYS[i],'xxxxxxxxxxxxxxxx') end return 1`,
 pexpire: `local c=redis.call for i=1,#KEYS do c('PEXPIRE',KEYS[i],'60010') end return 1`,
 mset: `local t={} for i=1,#KEYS do t[2*i-1]=KEYS[i] t[2*i]='xxxxxxxxxxxxxxxx' end redis.call('MSET',unpack(t)) return 1`,
 incr: `for i=1,#KEYS do redis.call('INCR',KEYS[i]) end return 1`,
 ttl: `for i=1,#KEYS do redis.call('PTTL',KEYS[i]) end return 1`,
};
for (const round of [0, 1]) for (const [name, src] of Object.entries(variants)) {
  const sha = await r.script('LOAD', src);
  if (name === 'incr' || name==='set') await r.del(...keys); if (name === 'mget') for (const k of keys) await r.set(k, 'xxxxxxxxxxxxxxxx');
  await r.config('RESETSTAT');
  for (let i = 0; i < 100; i++) await r.evalsha(sha, keys.length, ...keys);
  const m = /cmdstat_evalsha:.*usec_per_call=([\d.]+)/.exec(await r.info('commandstats'));
  if (round) console.log(name.padEnd(8), (Number(m[1]) / 255).toFixed(2), 'us/key');
}
process.exit(0);
