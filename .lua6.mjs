import { Redis } from 'ioredis5';
import { Harness } from './.build/perf/redis/harness.js';
import { algorithms } from './.build/perf/algorithms/index.js';
const r = new Redis(7900);
const h = new Harness(); const step = algorithms.fixed_window.lua;
const args = step.args({ quota: 1e6, duration: 60000, capacity: 1e6, cost: 1 });
const rest = h.arguments([{ key: 'kkk', step, args, joined: false }], undefined);
const src = h.source;
const cut = (marker) => src.slice(0, src.indexOf(marker)) + ' return 1';
const V = { one: 'return 1', afterTime: cut('local steps = {'), afterSteps: cut('local inPlace'), afterSets: cut('local total, listed'), afterMget: cut('local raws, lives'), beforeLoop: cut('local i, set = 1'), afterLoop: cut('local call, format, ceil'), whole: src };
for (const round of [0, 1, 2]) for (const [name, s] of Object.entries(V)) {
  const sha = await r.script('LOAD', s);
  await r.config('RESETSTAT');
  for (let i = 0; i < 2000; i++) await r.evalsha(sha, ...rest);
  const info = await r.info('commandstats');
  if (round) console.log(name.padEnd(12), (Number(new RegExp(`cmdstat_evalsha:.*usec=(\\d+)`).exec(info)[1]) / 2000).toFixed(2));
}
process.exit(0);
