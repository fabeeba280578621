import { Redis } from 'ioredis5';
import { Premier } from 'premier';
import { redis } from 'premier/redis';
const raw = new Redis(7900); const c5 = new Redis(7900);
const premier = new Premier({ provider: redis({ client: c5 }), keyspace: 'b' });
const dec = premier.fixedWindow({ quota: 1e9, duration: 60, name: 'd', keymaker: (k) => k })(async (k) => k);
const sha = await raw.script('LOAD', 'return 1');
const keys = Array.from({ length: 1000 }, (_, i) => 'key' + i);
const ops = { raw: (i) => raw.evalsha(sha, 1, keys[i % 1000]), dec: (i) => dec(keys[i % 1000]) };
const only = process.argv[2];
for (let r = 0; r < 5; r++) for (const [n, op] of Object.entries(ops)) { if (only && n !== only) continue; const t = []; const c0 = process.cpuUsage(); for (let i = 0; i < 8000; i++) { const a = performance.now(); await op(i); t.push(performance.now() - a); } const c = process.cpuUsage(c0); t.sort((a, b) => a - b); console.log(n, 'p50', (t[4000] * 1000).toFixed(1), 'cpu', ((c.user + c.system) / 8000).toFixed(1)); }
process.exit(0);
