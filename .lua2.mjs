import { Redis } from 'ioredis5';
import { readFileSync } from 'node:fs';
const r = new Redis(7900); await r.flushall();
const keys = Array.from({ length: 255 }, (_, i) => 'app:throttle:fixedWindow/fixed_window/d:key' + i);
const step = `function(raw, now, p)
    local quota, duration, capacity, cost = p[1], p[2], p[3], p[4]
    local ends, count = 0, 0
    if raw then ends, count = struct.unpack('>dd', raw) end
    local live = now < ends
    local used = live and count or 0
    if not live then ends = now + duration end
    count = math.max(0, used + cost)
    if count > quota and cost > 0 then
      return 0, nil, 0, quota - used, cost > quota and -1 or ends - now, used > 0 and ends - now or 0
    end
    local reset = count > 0 and ends - now or 0
    local new
    if cost ~= 0 then new = count > 0 and struct.pack('>dd', ends, count) or '' end
    return 1, new, reset, quota - count, 0, reset
end`;
const pre = `local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000)
local step = ${step}
local p = {1000000000, 60000, 1000000000, 1}
local raws = redis.call('MGET', unpack(KEYS)) local a, n, lives, first = {}, 0, {}, {}
local call, format, ceil = redis.call, string.format, math.ceil
`;
const V = {
 stepOnly: pre + `for i=1,#KEYS do local ok, raw, life, one, two, three = step(raws[i], now, p) end return 1`,
 stepLocal: pre.replaceAll('struct.unpack', 'unpack_').replaceAll('struct.pack', 'pack_').replaceAll('math.max', 'max_').replace('local time', 'local unpack_, pack_, max_ = struct.unpack, struct.pack, math.max local time') + `for i=1,#KEYS do local ok, raw, life, one, two, three = step(raws[i], now, p) end return 1`,
 stepReply: pre + `for i=1,#KEYS do local ok, raw, life, one, two, three = step(raws[i], now, p) a[n+1],a[n+2],a[n+3],a[n+4]=ok,one,two,three n=n+4 end return a`,
 stepReplySet: pre + `for i=1,#KEYS do local ok, raw, life, one, two, three = step(raws[i], now, p) a[n+1],a[n+2],a[n+3],a[n+4]=ok,one,two,three n=n+4 call('SET',KEYS[i],raw,'PX',format('%d',life+10)) end return a`,
 stepReplySetCache: pre + `local texts={} for i=1,#KEYS do local ok, raw, life, one, two, three = step(raws[i], now, p) a[n+1],a[n+2],a[n+3],a[n+4]=ok,one,two,three n=n+4 local t=texts[life] if not t then t=format('%d',life+10) texts[life]=t end call('SET',KEYS[i],raw,'PX',t) end return a`,
 setrange: pre + `local texts={} for i=1,#KEYS do local ok, raw, life, one, two, three = step(raws[i], now, p) a[n+1],a[n+2],a[n+3],a[n+4]=ok,one,two,three n=n+4 call('SETRANGE',KEYS[i],'0',raw) end return a`,
};
for (const round of [0, 1]) for (const [name, src] of Object.entries(V)) {
  const sha = await r.script('LOAD', src);
  for (const k of keys) await r.set(k, Buffer.alloc(16));
  await r.config('RESETSTAT');
  for (let i = 0; i < 200; i++) await r.evalsha(sha, keys.length, ...keys);
  const m = /cmdstat_evalsha:.*usec_per_call=([\d.]+)/.exec(await r.info('commandstats'));
  if (round) console.log(name.padEnd(18), (Number(m[1]) / 255).toFixed(2), 'us/key');
}
process.exit(0);
