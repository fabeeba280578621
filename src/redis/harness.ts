import { createHash } from 'node:crypto';
import type { LuaReply, LuaStep } from '../core/provider.js';

/** A step as the harness knows it: what is asked is its business. */
export type AnyStep = LuaStep<never, unknown>;

/** What one key is asked. Equal `args` objects travel once. */
export interface Asked {
  readonly key: string;
  readonly step: AnyStep;
  readonly args: readonly (string | number)[];
  /** Whether it is taken together with the one before it: all or none. */
  readonly joined: boolean;
}

/** One script for every step that was ever asked for. It grows when another kind of step comes. */
export class Harness {
  readonly #steps = new Map<AnyStep, number>();
  #source = '';
  #sha = '';

  get source(): string {
    return this.#source;
  }

  get sha(): string {
    return this.#sha;
  }

  /** What follows the script: how many keys, the keys, then what is asked of each. `now` in milliseconds takes the place of Redis' own time. */
  arguments(asked: readonly Asked[], now: number | undefined): string[] {
    const sent = [String(asked.length)];
    for (const { key } of asked) sent.push(key);
    const sets = new Map<readonly (string | number)[], number>();
    let last: readonly (string | number)[] | undefined;
    let joined = false;
    for (const { args, joined: together } of asked) {
      joined ||= together;
      if (args === last) continue;
      last = args;
      if (!sets.has(args)) sets.set(args, sets.size + 1);
    }
    sent.push(now === undefined ? '' : String(now), String(sets.size));
    let described = 0;
    for (const { step, args } of asked) {
      if (sets.get(args) !== described + 1) continue;
      described++;
      sent.push(String(this.#number(step)), String(args.length));
      for (const arg of args) sent.push(typeof arg === 'number' ? String(arg) : `$${arg}`);
      if (described === sets.size) break;
    }
    // Most batches ask all keys the same: then nothing need be said of each.
    if (sets.size > 1 || joined) for (const { args, joined: together } of asked) sent.push(`${together ? '-' : ''}${sets.get(args)}`);
    return sent;
  }

  /** What a script answered to the one at `index`. */
  static reply(replies: readonly unknown[], index: number): LuaReply {
    const at = index * 4;
    return [Number(replies[at]), replies[at + 1], replies[at + 2], replies[at + 3]];
  }

  #number(step: AnyStep): number {
    const known = this.#steps.get(step);
    if (known !== undefined) return known;
    this.#steps.set(step, this.#steps.size + 1);
    this.#source = sourceOf([...this.#steps.keys()]);
    this.#sha = createHash('sha1').update(this.#source).digest('hex');
    return this.#steps.size;
  }
}

/** A key outlives its state by so much: what a step decides must never hang on the instant at which Redis expires it. */
const margin = 50;
/** Where time is told from outside, Redis' own must not matter at all. */
const testMargin = 3_600_000;

/**
 * Each key is read once and written once, however often it is asked for in one batch. To set a key together with its time to live costs Redis
 * three times as much as to write into it: a state that is written in place says in its last eight bytes until when its key lives, and as long
 * as that is long enough, only the state is written.
 */
function sourceOf(steps: readonly AnyStep[]): string {
  return `
local now, margin = tonumber(ARGV[1]), ${testMargin}
if not now then
  local time = redis.call('TIME')
  now, margin = time[1] * 1000 + math.floor(time[2] / 1000), ${margin}
end
local steps = {
${steps.map(({ body }) => `function(raw, now, p)\n${body}\nend`).join(',\n')}
}
local inPlace = {${steps.map(({ inPlace }) => String(inPlace === true)).join(', ')}}
local sets, at = {}, 3
for s = 1, tonumber(ARGV[2]) do
  local count = tonumber(ARGV[at + 1])
  local number = tonumber(ARGV[at])
  local set = {step = steps[number], inPlace = inPlace[number]}
  for i = 1, count do
    local value = ARGV[at + 1 + i]
    set[i] = string.byte(value) == 36 and string.sub(value, 2) or tonumber(value)
  end
  sets[s] = set
  at = at + 2 + count
end
local total, listed = #KEYS, #ARGV >= at
local stored = redis.call('MGET', unpack(KEYS))
local raws, lives, places, answers, a = {}, {}, {}, {}, 0
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
    local place = places[key]
    local raw
    if place then
      raw = raws[place]
      if raw == nil then raw = stored[place] end
    else
      place = j
      places[key] = j
      raw = stored[j]
    end
    local ok, new, life, one, two, three = set.step(raw, now, set)
    answers[a + 1], answers[a + 2], answers[a + 3], answers[a + 4] = ok, one or '', two or '', three or ''
    a = a + 4
    if new then
      if set.inPlace and new ~= '' then
        local old = stored[place]
        local size = #new
        if old and #old == size + 8 and struct.unpack('>d', old, size + 1) >= now + life then
          life = -1
        else
          if old then life = life * 2 end
          new = new .. struct.pack('>d', now + life)
        end
      end
      if pending then
        pending[#pending + 1] = {place, new ~= '' and new, life}
      else
        raws[place], lives[place] = new ~= '' and new, life
      end
    end
    if pending then all = all and ok == 1 end
  end
  if pending and all then
    for _, each in ipairs(pending) do raws[each[1]], lives[each[1]] = each[2], each[3] end
  end
  i = last + 1
end
local call, format, ceil = redis.call, string.format, math.ceil
for place = 1, total do
  local life = lives[place]
  if life then
    local raw = raws[place]
    if raw and life < 0 then
      call('SETRANGE', KEYS[place], '0', raw)
    elseif not raw or life == 0 then
      call('DEL', KEYS[place])
    else
      call('SET', KEYS[place], raw, 'PX', format('%d', ceil(life) + margin))
    end
  end
end
return answers
`.trim();
}
