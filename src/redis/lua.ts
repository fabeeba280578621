import type { LuaStep } from '../core/provider.js';

/** A step as the harness knows it: what is asked is its business. */
export type AnyStep = LuaStep<never, unknown>;

/** A key outlives its state by so many milliseconds: what a step decides must never hang on the instant at which Redis expires it. */
const margin = 50;
/** Where time is told from outside, Redis' own must not matter at all. */
const testMargin = 3_600_000;

const time = `local now, margin = tonumber(ARGV[1]), ${testMargin}
if not now then
  local time = redis.call('TIME')
  now, margin = time[1] * 1000 + math.floor(time[2] / 1000), ${margin}
end`;

/** No instant of ours, in milliseconds. */
const absurd = 1e15;
/** Where a state that is written in place came to live longer, it does so for a while: the next steps need not set it again. */
const longer = 1000;

/**
 * What to write of a state with a front. The eight bytes after it say until when its key lives; while that is long enough and nothing but the front
 * changed, only that is written into it: to set a key together with its time to live costs Redis three times as much.
 */
const place = (
  front: string,
): string => `if old and not tail and #old >= ${front} + 8 and struct.unpack('>d', old, ${front} + 1) >= now + life then
  life = -1
else
  if old then
    tail = tail or string.sub(old, ${front} + 9)
    life = math.max(life * 2, ${longer})
  end
  new = new .. struct.pack('>d', now + life) .. (tail or '')
end`;

const write = (key: string): string => `if life < 0 then
  redis.call('SETRANGE', ${key}, '0', new)
elseif new == '' or life == 0 then
  redis.call('DEL', ${key})
else
  redis.call('SET', ${key}, new, 'PX', string.format('%d', math.ceil(life) + margin))
end`;

/** Until when the key of a state with a front lives. Where that has passed, or where somebody else left what is no such state, there is none. */
const check = (front: string): string => `lives_until = old and #old >= ${front} + 8 and struct.unpack('>d', old, ${front} + 1) or 0
if not (lives_until > now and lives_until < ${absurd}) then old = false end`;

/** The script of one step on one key. */
export function singleSource({ body, front }: AnyStep): string {
  return `
${time}
local function step(raw, now, p)
${body}
end
local p = {}
for i = 2, #ARGV do p[i - 1] = tonumber(ARGV[i]) or string.sub(ARGV[i], 2) end
local old = redis.pcall('GET', KEYS[1])
if type(old) ~= 'string' then old = false end
local lives_until = 0
${front === undefined ? '' : check(String(front))}
local ok, new, life, one, two, three, tail = step(old, now, p)
if new then
${front === undefined ? '' : `if new ~= '' then\n${place(String(front))}\nend`}
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
local fronts = {${steps.map(({ front }) => String(front ?? false)).join(', ')}}
local sets, at = {}, 3
for s = 1, tonumber(ARGV[2]) do
  local number, count = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local set = {step = steps[number], front = fronts[number]}
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
    if first then
      if lives[first] and lives[first] < 0 then stored[first] = news[first] .. string.sub(stored[first], #news[first] + 1) end
    else
      first = j
      places[key] = j
    end
    local old, front = stored[first], set.front
    local lives_until = 0
    if front then
      ${check('front')}
    end
    local ok, new, life, one, two, three, tail = set.step(old, now, set)
    answers[a + 1], answers[a + 2], answers[a + 3], answers[a + 4] = ok, one or '', two or '', three or ''
    a = a + 4
    if new then
      if front and new ~= '' then
        ${place('front')}
        local before = lives[first]
        if life < 0 and before and before > 0 then new, life = new .. string.sub(old, front + 1), before end
      end
      if pending then
        pending[#pending + 1] = {first, new, life}
      else
        news[first], lives[first] = new, life
        if life >= 0 then stored[first] = new ~= '' and new end
      end
    end
    if pending then all = all and ok == 1 end
  end
  if pending and all then
    for _, each in ipairs(pending) do
      local first = each[1]
      news[first], lives[first] = each[2], each[3]
      if each[3] >= 0 then stored[first] = each[2] ~= '' and each[2] end
    end
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
