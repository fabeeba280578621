import type { Algorithm } from '../core/provider.js';
import { type Quota, quotaStep, unasked, verdict } from './quota.js';

/**
 * Admissions: the newest `count` at `at`, and before them `older`, as pairs of instant and count, oldest first. `used` is their sum. Most
 * keys are seen once, and a list costs more than all the rest: there is none until a second instant is needed.
 */
interface SlidingWindow {
  at: number;
  count: number;
  used: number;
  older: number[] | undefined;
}

/** Up to this quota every admission keeps its own instant; above it, those of one 128th of the duration share the latest. */
export const exactUpTo = 128;

const limitOf = ({ quota }: Quota): number => quota;

/**
 * Never more than `quota` in any span of `duration`. An admission leaves when `duration` has passed since it (the sliding log; see
 * "How we built rate limiting capable of scaling to millions of domains", Cloudflare, 2017, for what approximating it costs). Above a quota
 * of 128 the admissions of one grain (`duration / 128`) leave together with their last, so a place frees up to one grain late, never
 * early, and the state stays bounded at 129 grains.
 */
export const slidingWindow: Algorithm<SlidingWindow, Quota> = {
  name: 'sliding_window',
  create: () => ({ at: 0, count: 0, used: 0, older: undefined }),
  copy: ({ at, count, used, older }) => ({ at, count, used, older: older && [...older] }),
  step(state, { quota, duration, cost }, time) {
    // A clock that stepped back goes on from the latest admission.
    const now = state.at > time ? state.at : time;
    const live = state.count > 0 && state.at + duration > now;
    const first = live ? firstLive(state.older, now - duration) : 0;
    const used = live ? state.used - sum(state.older, first) : 0;
    const resetAfter = live ? state.at + duration - time : 0;
    if (cost > 0 && used + cost > quota) {
      const retryAfter = cost > quota ? Infinity : freesAt(state, first, used + cost - quota) + duration - time;
      return verdict(false, quota, quota - used, retryAfter, resetAfter);
    }
    if (cost === 0) return verdict(true, quota, quota - used, 0, resetAfter);
    if (!live) clear(state);
    else for (let i = 0; i < first; i++) state.older?.shift();
    state.used = used + cost;
    if (cost < 0) giveBack(state, -cost);
    else admit(state, now, cost, quota > exactUpTo ? duration / exactUpTo : 0);
    return verdict(true, quota, quota - state.used, 0, state.count > 0 ? state.at + duration - time : 0);
  },
  unasked: unasked(limitOf),
  lua: quotaStep(
    limitOf,
    24,
    `
    local time, at, count, used, first = now, 0, 0, 0, 33
    if raw then at, count, used = struct.unpack('>ddd', raw) end
    if at > now then now = at end
    if count > 0 and at + duration > now then
      while first < #raw do
        local instant, admitted = struct.unpack('>dd', raw, first)
        if instant > now - duration then break end
        used = used - admitted
        first = first + 16
      end
    else
      raw, at, count, used = '', 0, 0, 0
    end
    local reset = count > 0 and at + duration - time or 0
    if cost > quota then return 0, nil, 0, quota - used, -1, reset end
    if cost > 0 and used + cost > quota then
      local left, free = used + cost - quota, at
      for i = first, #raw, 16 do
        local instant, admitted = struct.unpack('>dd', raw, i)
        left = left - admitted
        if left <= 0 then
          free = instant
          break
        end
      end
      return 0, nil, 0, quota - used, free + duration - time, reset
    end
    if cost == 0 then return 1, nil, 0, quota - used, 0, reset end
    local older
    used = used + cost
    if cost < 0 then
      older = string.sub(raw, first)
      local left = -cost
      while left > 0 and #older > 0 do
        local instant, admitted = struct.unpack('>dd', older)
        local taken = math.min(left, admitted)
        left = left - taken
        older = string.sub(older, 17)
        if taken < admitted then older = struct.pack('>dd', instant, admitted - taken) .. older end
      end
      local taken = math.min(left, count)
      count = count - taken
      used = used + left - taken
    else
      local grain = quota > ${exactUpTo} and duration / ${exactUpTo} or 0
      local together = count > 0 and (grain == 0 and at == now or grain > 0 and math.floor(at / grain) == math.floor(now / grain))
      if not together or first > 33 then older = string.sub(raw, first) end
      if together then
        count = count + cost
      else
        if count > 0 then older = older .. struct.pack('>dd', at, count) end
        count = cost
      end
      at = now
    end
    if count == 0 then return 1, '', 0, quota, 0, 0 end
    reset = at + duration - time
    return 1, struct.pack('>ddd', at, count, used), reset, quota - used, 0, reset, older`,
  ),
};

/** Where in the pairs the first one stands that is younger than `expired`. */
function firstLive(older: readonly number[] | undefined, expired: number): number {
  let first = 0;
  if (older) while (first < older.length && (older[first] as number) <= expired) first += 2;
  return first;
}

/** How many admissions the pairs before `end` hold. */
function sum(older: readonly number[] | undefined, end: number): number {
  let total = 0;
  if (older) for (let i = 1; i < end; i += 2) total += older[i] as number;
  return total;
}

/** The instant of the admission with which enough places have left. */
function freesAt({ at, older }: SlidingWindow, first: number, wanted: number): number {
  let left = wanted;
  if (older) {
    for (let i = first; i < older.length; i += 2) {
      left -= older[i + 1] as number;
      if (left <= 0) return older[i] as number;
    }
  }
  return at;
}

function clear(state: SlidingWindow): void {
  state.at = 0;
  state.count = 0;
  state.used = 0;
  state.older = undefined;
}

function admit(state: SlidingWindow, now: number, cost: number, grain: number): void {
  const { at, count, older } = state;
  const together = count > 0 && (grain === 0 ? at === now : Math.floor(at / grain) === Math.floor(now / grain));
  state.at = now;
  state.count = together ? count + cost : cost;
  if (together || count === 0) return;
  if (older) older.push(at, count);
  else state.older = [at, count];
}

/** Takes back the oldest admissions: whichever call is meant, no span can then hold more than the quota. */
function giveBack(state: SlidingWindow, cost: number): void {
  let left = cost;
  const older = state.older ?? [];
  let first = 0;
  for (; left > 0 && first < older.length; first += 2) {
    const taken = Math.min(left, older[first + 1] as number);
    left -= taken;
    older[first + 1] = (older[first + 1] as number) - taken;
    if (older[first + 1] !== 0) break;
  }
  older.splice(0, first);
  const taken = Math.min(left, state.count);
  state.count -= taken;
  state.used += left - taken;
  if (state.count === 0) clear(state);
}
