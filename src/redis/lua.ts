import type { AnyStep } from './harness.js';

/** A key outlives its state by so many milliseconds: what a step decides must never hang on the instant at which Redis expires it. */
const margin = 50;
/** Where time is told from outside, Redis' own must not matter at all. */
const testMargin = 3_600_000;

const time = `local now, margin = tonumber(ARGV[1]), ${testMargin}
if not now then
  local time = redis.call('TIME')
  now, margin = time[1] * 1000 + math.floor(time[2] / 1000), ${margin}
end`;

/** How long a state that is written in place keeps its key: its last eight bytes say until when, and while that is long enough, it is only written into. */
const place = `local size = #new
if old and #old == size + 8 and struct.unpack('>d', old, size + 1) >= now + life then
  life = -1
else
  if old then life = life * 2 end
  new = new .. struct.pack('>d', now + life)
end`;

/** To set a key together with its time to live costs Redis three times as much as to write into it. */
const write = (key: string): string => `if life < 0 then
  redis.call('SETRANGE', ${key}, '0', new)
elseif new == '' or life == 0 then
  redis.call('DEL', ${key})
else
  redis.call('SET', ${key}, new, 'PX', string.format('%d', math.ceil(life) + margin))
end`;

/** The script of one step on one key. */
export function singleSource({ body, inPlace }: AnyStep): string {
  return `
${time}
local function step(raw, now, p)
${body}
end
local p = {}
for i = 2, #ARGV do p[i - 1] = tonumber(ARGV[i]) or string.sub(ARGV[i], 2) end
local old = redis.pcall('GET', KEYS[1])
if type(old) ~= 'string' then old = false end
local ok, new, life, one, two, three = step(old, now, p)
if new then
${inPlace ? `if new ~= '' then\n${place}\nend` : ''}
${write('KEYS[1]')}
end
return {ok, one or '', two or '', three or ''}
`.trim();
}

/** The script of many steps on many keys. Each key is read once and written once, however often it is asked for. */
export function batchSource(steps: readonly AnyStep[]): string {
  return `
${time}
local steps = {
${steps.map(({ body }) => `function(raw, now, p)\n${body}\nend`).join(',\n')}
}
local inPlace = {${steps.map((step) => String(step.inPlace === true)).join(', ')}}
local sets, at = {}, 3
for s = 1, tonumber(ARGV[2]) do
  local number, count = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local set = {step = steps[number], inPlace = inPlace[number]}
  for i = 1, count do
    local value = ARGV[at + 1 + i]
    set[i] = tonumber(value) or string.sub(value, 2)
  end
  sets[s] = set
  at = at + 2 + count
end
local total, listed = #KEYS, #ARGV >= at
local stored = redis.call('MGET', unpack(KEYS))
local news, lives, places, answers, a = {}, {}, {}, {}, 0
local i, set = 1, sets[1]
while i <= total do
  local last = i
  if listed then
    while last < total and string.byte(ARGV[at + last]) == 45 do last = last + 1 end
  end
  local all, pending = true, last > i and {}
  for j = i, last do
    local key = KEYS[j]
    if listed then set = sets[math.abs(tonumber(ARGV[at + j - 1]))] end
    local first = places[key]
    local raw
    if first then
      raw = news[first]
      if raw == nil then raw = stored[first] elseif raw == '' then raw = false end
    else
      first = j
      places[key] = j
      raw = stored[j]
    end
    local ok, new, life, one, two, three = set.step(raw, now, set)
    answers[a + 1], answers[a + 2], answers[a + 3], answers[a + 4] = ok, one or '', two or '', three or ''
    a = a + 4
    if new then
      if set.inPlace and new ~= '' then
        local old = stored[first]
        ${place}
      end
      if pending then
        pending[#pending + 1] = {first, new, life}
      else
        news[first], lives[first] = new, life
      end
    end
    if pending then all = all and ok == 1 end
  end
  if pending and all then
    for _, each in ipairs(pending) do news[each[1]], lives[each[1]] = each[2], each[3] end
  end
  i = last + 1
end
for j = 1, total do
  local life = lives[j]
  if life then
    local new = news[j]
    ${write('KEYS[j]')}
  end
end
return answers
`.trim();
}
