import { Redis } from 'ioredis5';
import { Harness } from './.build/perf/redis/harness.js';
import { algorithms } from './.build/perf/algorithms/index.js';
const r = new Redis(7900); await r.flushall();
const keys = Array.from({ length: 128 }, (_, i) => 'app:throttle:fixedWindow/fixed_window/d:key' + i);
const tweak = process.argv[2] ? (s) => s : (s) => s;
for (const name of ['fixed_window', 'token_bucket', 'sliding_window']) {
  const h = new Harness(); const step = algorithms[name].lua;
  const args = step.args({ quota: 1e6, duration: 60000, capacity: 1e6, cost: 1 });
  const { rest, script } = h.run(keys.map((key) => ({ key, step, args, joined: false })), undefined);
  let src = script.source;
  const sha = await r.script('LOAD', src);
  for (const round of [0, 1, 2]) {
  await r.config('RESETSTAT');
  for (let i = 0; i < 400; i++) await r.evalsha(sha, ...rest);
  const info = await r.info('commandstats');
  const g = (c) => Number(new RegExp(`cmdstat_${c}:.*usec=(\\d+)`).exec(info)?.[1] ?? 0) / 400 / 128;
  console.log(name, 'total', g('evalsha').toFixed(2), 'mget', g('mget').toFixed(2), 'set', g('set').toFixed(2), 'setrange', g('setrange').toFixed(2));
  }
}
process.exit(0);
