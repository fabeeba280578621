// same-tick differential: many steps per key in one tick, mixed costs
import { Redis } from 'ioredis';
import { redis } from 'premier/redis';
import { FakeClock } from 'premier/testing';
import { algorithms } from './.build/perf/algorithms/index.js';
const client = new Redis(7900);
let s = 12345; const rnd = () => ((s = (s * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff);
let n = 0;
for (let seed = 0; seed < 200; seed++) {
  await client.flushall();
  const clock = new FakeClock(); const p = redis({ client, clock, refuseLocally: false });
  for (const name of Object.keys(algorithms)) {
    const a = algorithms[name]; const quota = 1 + Math.floor(rnd() ** 3 * 400); const duration = [50, 1000, 60000, 7919, 60 * 864e5][Math.floor(rnd() * 5)];
    const capacity = name.includes('bucket') ? 1 + Math.floor(rnd() * 2 * quota) : quota;
    const states = new Map();
    for (let tick = 0; tick < 12; tick++) {
      await clock.advance(`${Math.floor(rnd() * duration / (rnd() < 0.5 ? 1 : quota))}ms`);
      if (rnd() < 0.1) clock.step(-Math.floor(rnd() * duration));
      const steps = Array.from({ length: 1 + Math.floor(rnd() * 20) }, () => ({ key: 'k' + Math.floor(rnd() * 3), params: { quota, duration, capacity, cost: rnd() < 0.6 ? 1 : rnd() < 0.2 ? -1 - Math.floor(rnd() * 5) : Math.floor(rnd() * (capacity + 2)) } }));
      const got = await Promise.all(steps.map(({ key, params }) => p.step(name + key, a, params)));
      steps.forEach(({ key, params }, i) => { if (!states.has(key)) states.set(key, a.create(params)); const want = a.step(states.get(key), params, clock.now()); n++; if (JSON.stringify(want) !== JSON.stringify(got[i])) { console.log('DIFF', seed, name, tick, i, params, want, got[i]); process.exit(1); } });
    }
  }
}
console.log('equal', n); client.disconnect();
