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

  /** The arguments after script and number of keys: the keys, then what is asked of each. `now` in milliseconds takes the place of Redis' own time. */
  arguments(asked: readonly Asked[], now: number | undefined): string[] {
    const sets = new Map<readonly (string | number)[], number>();
    const described: string[] = [];
    const which: string[] = [];
    let joined = false;
    for (const { step, args, joined: together } of asked) {
      let set = sets.get(args);
      if (set === undefined) {
        sets.set(args, (set = sets.size + 1));
        described.push(String(this.#number(step)), String(args.length));
        for (const arg of args) described.push(typeof arg === 'number' ? String(arg) : `$${arg}`);
      }
      joined ||= together;
      which.push(together ? `-${set}` : String(set));
    }
    const keys = asked.map(({ key }) => key);
    const head = [now === undefined ? '' : String(now), String(sets.size)];
    // Most batches ask all keys the same: then nothing need be said of each.
    return sets.size === 1 && !joined ? [...keys, ...head, ...described] : [...keys, ...head, ...described, ...which];
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
const margin = 10;
/** Where time is told from outside, Redis' own must not matter at all. */
const testMargin = 3_600_000;

/**
 * Each key is read once and written once, however often it is asked for in one batch. Numbers are written with `%.0f`: Lua would keep 14
 * digits of them.
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
local sets, at = {}, 3
for s = 1, tonumber(ARGV[2]) do
  local count = tonumber(ARGV[at + 1])
  local set = {step = steps[tonumber(ARGV[at])]}
  for i = 1, count do
    local value = ARGV[at + 1 + i]
    set[i] = string.byte(value) == 36 and string.sub(value, 2) or tonumber(value)
  end
  sets[s] = set
  at = at + 2 + count
end
local total, listed = #KEYS, #ARGV >= at
local raws, lives, written, answers, a = {}, {}, {}, {}, 0
local function read(key)
  local raw = raws[key]
  if raw == nil then
    raw = redis.pcall('GET', key)
    if type(raw) ~= 'string' then raw = false end
    raws[key] = raw
  end
  return raw
end
local function write(key, raw, life)
  if lives[key] == nil then written[#written + 1] = key end
  raws[key] = raw ~= '' and raw or false
  lives[key] = life
end
local i = 1
while i <= total do
  local last = i
  if listed then
    while last < total and string.byte(ARGV[at + last]) == 45 do last = last + 1 end
  end
  local all, pending = true, {}
  for j = i, last do
    local set = sets[listed and math.abs(tonumber(ARGV[at + j - 1])) or 1]
    local ok, raw, life, first, second, third = set.step(read(KEYS[j]), now, set)
    answers[a + 1], answers[a + 2], answers[a + 3], answers[a + 4] = ok, first or '', second or '', third or ''
    a = a + 4
    if last == i then
      if raw then write(KEYS[j], raw, life) end
    else
      all = all and ok == 1
      if raw then pending[#pending + 1] = {KEYS[j], raw, life} end
    end
  end
  if all then
    for _, each in ipairs(pending) do write(each[1], each[2], each[3]) end
  end
  i = last + 1
end
for _, key in ipairs(written) do
  if raws[key] and lives[key] > 0 then
    redis.call('SET', key, raws[key], 'PX', string.format('%.0f', math.ceil(lives[key]) + margin))
  else
    redis.call('DEL', key)
  end
end
return answers
`.trim();
}
