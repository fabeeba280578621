import type { LuaStep, Seen } from '../core/provider.js';
import type { Codec } from './codec.js';

/**
 * How a value lies in Redis. `=<fence>;<expiresAt>;<text>` is a value; `~<fence>` says that one is being made. The fence changes whenever the
 * key is set or dropped, and a value that was made under another fence is not kept: so nothing that was loaded before an invalidation comes
 * back after it, and where Redis lost its memory, nothing does either.
 */

/** How long a value may take to be made and still be kept, in milliseconds. */
const making = 3_600_000;
/** The longest that a value without a time to live lies there: every key has one. */
export const forever = 365 * 86_400_000;

/** What is stored, told apart. What cannot be read is no value. */
export function parse(raw: unknown, codec: Codec): Seen {
  if (typeof raw !== 'string') return nothing;
  const kind = raw.charCodeAt(0);
  if (kind === tilde) return { value: undefined, fence: raw.slice(1), expiresAt: 0 };
  if (kind !== equals) return nothing;
  const first = raw.indexOf(';');
  const second = raw.indexOf(';', first + 1);
  const fence = raw.slice(1, first);
  try {
    return { value: codec.decode(raw.slice(second + 1)), fence, expiresAt: Number(raw.slice(first + 1, second)) || Infinity };
  } catch {
    return { value: undefined, fence, expiresAt: 0 };
  }
}

const tilde = 126;
const equals = 61;
const nothing: Seen = { value: undefined, fence: undefined, expiresAt: 0 };

/** Admitted or not is all that matters. */
const done = ([admitted]: readonly [number, ...unknown[]]): boolean => admitted === 1;

const split = `local kind = raw and string.sub(raw, 1, 1)
    local fence = kind == '~' and string.sub(raw, 2) or kind == '=' and string.match(raw, '^=(.-);')`;

/** A value is being made: answers with the fence that holds. */
export const begin: LuaStep<string, string> = {
  body: `
    ${split}
    if fence then return 1, raw, math.max(${making}, kind == '=' and (tonumber(string.match(raw, '^=.-;(%d*);')) or ${forever} + now) - now or 0), fence end
    return 1, '~' .. p[1], ${making}, p[1]`,
  args: (token) => [token],
  decision: ([, fence]) => String(fence),
};

/** A value to be kept for `ttl` milliseconds. */
export interface Put {
  readonly fence: string;
  readonly ttl: number | undefined;
  readonly text: string;
}

const write = (fence: string): string => `
    local ttl = p[2] == '' and ${forever} or p[2]
    local ends = p[2] == '' and '' or string.format('%.0f', now + p[2])
    return 1, '=' .. ${fence} .. ';' .. ends .. ';' .. p[3], ttl`;
const args = ({ fence, ttl, text }: Put): readonly (string | number)[] => [fence, ttl ?? '', text];

/** Keeps a value that was made under a fence, if that one still holds. */
export const put: LuaStep<Put, boolean> = {
  body: `
    ${split}
    if fence ~= p[1] then return 0, nil, 0 end
    ${write('fence')}`,
  args,
  decision: done,
};

/** Sets a value, under a fence of its own. */
export const set: LuaStep<Put, boolean> = { body: write('p[1]'), args, decision: done };

/** No value came of it: another process may still be making one, but need not find the key for long. */
export const leave: LuaStep<string, boolean> = {
  body: `
    if raw == '~' .. p[1] then return 1, raw, 300000 end
    return 0, nil, 0`,
  args: (fence) => [fence],
  decision: done,
};

/** Drops a key; admitted when there was something. */
export const drop: LuaStep<string, boolean> = {
  body: `
    if not raw then return 0, nil, 0 end
    return string.sub(raw, 1, 1) == '~' and 0 or 1, '', 0`,
  args: () => [],
  decision: done,
};

/** The next number of a counter, which grows also when Redis lost it: its own time in microseconds, at least. With 0 it only looks, and begins one. */
export const count: LuaStep<number, number> = {
  body: `
    local number = tonumber(raw or '')
    if number and p[1] == 0 then return 1, nil, 0, string.format('%.0f', number) end
    number = math.max(now * 1000, (number or 0) + 1)
    return 1, string.format('%.0f', number), ${forever}, string.format('%.0f', number)`,
  args: (by) => [by],
  decision: ([, number]) => Number(number),
};

/** A tag's number and how long it is to be remembered at least, in milliseconds. */
export interface Mark {
  readonly number: number;
  /** What a tag that nobody knows begins with, at least. */
  readonly since?: number;
  readonly ttl: number;
}

/** Raises a tag to a number, and answers with the one that it has then. */
export const mark: LuaStep<Mark, number> = {
  body: `
    local number, ends = string.match(raw or '', '^(%d+) (%d+)$')
    number = math.max(tonumber(number or p[3]), p[1])
    ends = math.max(tonumber(ends or 0), now + p[2])
    return 1, string.format('%.0f %.0f', number, ends), ends - now, string.format('%.0f', number)`,
  args: ({ number, ttl, since = 0 }) => [number, ttl, since],
  decision: ([, number]) => Number(number),
};
