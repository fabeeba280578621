import { Redis } from 'ioredis5';
import { Redis as Redis6 } from 'ioredis';
import { Premier } from 'premier';
import { redis } from 'premier/redis';
const raw = new Redis(7900); const c5 = new Redis(7900);
await raw.flushall();
const premier = new Premier({ provider: redis({ client: c5 }), keyspace: 'b' });
const sha = await raw.script('LOAD', 'return 1');
const lim = premier.limiter({ algorithm: 'fixed_window', quota: 1e9, duration: 60, name: 'l' });
const tok = premier.limiter({ algorithm: 'token_bucket', quota: 1e6, duration: 60, name: 't' });
const sli = premier.limiter({ algorithm: 'sliding_window', quota: 1e6, duration: 60, name: 's' });
const dec = premier.fixedWindow({ quota: 1e9, duration: 60, name: 'd', keymaker: (k) => k })(async (k) => k);
const get = premier.cacheResult({ expireS: 600, name: 'c' })(async (k) => ({ k, a: 1 }));
const keys = Array.from({ length: 1000 }, (_, i) => 'key' + i);
for (const k of keys) { await get(k); await raw.set('raw' + k, JSON.stringify({ k, a: 1 })); }
const ops = {
  evalsha: (i) => raw.evalsha(sha, 1, keys[i % 1000]),
  fixed: (i) => lim.consume(keys[i % 1000]),
  token: (i) => tok.consume(keys[i % 1000]),
  sliding: (i) => sli.consume(keys[i % 1000]),
  decorated: (i) => dec(keys[i % 1000]),
  get: (i) => raw.get('raw' + keys[i % 1000]),
  cache: (i) => get(keys[i % 1000]),
};
async function run(name, inflight, n) {
  const op = ops[name]; let i = 0;
  const c0 = process.cpuUsage(); const t0 = performance.now();
  const info0 = await raw.info('cpu');
  await Promise.all(Array.from({ length: inflight }, async () => { while (i < n) await op(i++); }));
  const t = performance.now() - t0; const c = process.cpuUsage(c0);
  const info1 = await raw.info('cpu');
  const srv = (x) => ['used_cpu_user:', 'used_cpu_sys:'].reduce((s, k) => s + Number(x.split(k)[1].split('\r')[0]), 0);
  return { ops: n / t, cpu: (c.user + c.system) / n, srv: (srv(info1) - srv(info0)) * 1e6 / n };
}
for (const f of [1, 64, 256]) {
  const n = f === 1 ? 4000 : 60000;
  const res = {};
  for (let round = 0; round < 3; round++) for (const name of Object.keys(ops)) (res[name] ??= []).push(await run(name, f, n));
  const med = (a, k) => a.map((x) => x[k]).sort((x, y) => x - y)[1];
  for (const name of Object.keys(ops)) {
    const base = ['get', 'cache'].includes(name) ? 'get' : 'evalsha';
    console.log(f, name.padEnd(10), 'ops/ms', med(res[name], 'ops').toFixed(1), 'x', (med(res[name], 'ops') / med(res[base], 'ops')).toFixed(2), 'cpu', (med(res[name], 'cpu') / med(res[base], 'cpu')).toFixed(2), 'srv', (med(res[name], 'srv') / med(res[base], 'srv')).toFixed(2));
  }
}
process.exit(0);
