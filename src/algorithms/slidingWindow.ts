import type { Algorithm } from '../core/provider.js';
import { type Quota, verdict } from './quota.js';

/** Admissions, oldest first: `counts[i]` of them, the last at `times[i]`. `used` is their sum. */
interface SlidingWindow {
  times: number[];
  counts: number[];
  used: number;
}

/** Up to this quota every admission keeps its own instant; above it, those of one 128th of the duration share the latest. */
export const exactUpTo = 128;

/**
 * Never more than `quota` in any span of `duration`. An admission leaves when `duration` has passed since it (the log of Stripe's and
 * Cloudflare's write-ups); above a quota of 128 admissions of one grain (`duration / 128`) leave together with their last, so a place
 * frees up to one grain late, never early, and the state stays bounded at 129 grains.
 */
export const slidingWindow: Algorithm<SlidingWindow, Quota> = {
  name: 'sliding_window',
  create: () => ({ times: [], counts: [], used: 0 }),
  copy: ({ times, counts, used }) => ({ times: [...times], counts: [...counts], used }),
  step(state, { quota, duration, cost }, time) {
    const { times, counts } = state;
    const last = times.length - 1;
    // A clock that stepped back goes on from the latest admission.
    const now = last >= 0 && (times[last] as number) > time ? (times[last] as number) : time;
    let first = 0;
    let used = state.used;
    while (first <= last && (times[first] as number) + duration <= now) used -= counts[first++] as number;
    const resetAfter = first <= last ? (times[last] as number) + duration - time : 0;
    if (cost > 0 && used + cost > quota) {
      return verdict(
        false,
        quota,
        quota - used,
        cost > quota ? Infinity : freesAt(state, first, used + cost - quota) + duration - time,
        resetAfter,
      );
    }
    if (cost === 0) return verdict(true, quota, quota - used, 0, resetAfter);
    drop(state, first, used);
    if (cost < 0) giveBack(state, -cost);
    else admit(state, now, cost, quota > exactUpTo ? duration / exactUpTo : 0);
    const newest = times.length > 0 ? (times[times.length - 1] as number) + duration - time : 0;
    return verdict(true, quota, quota - state.used, 0, newest);
  },
};

/** The instant of the admission with which enough places have left. */
function freesAt({ times, counts }: SlidingWindow, first: number, wanted: number): number {
  let left = wanted;
  let i = first;
  for (; i < times.length - 1; i++) {
    left -= counts[i] as number;
    if (left <= 0) break;
  }
  return times[i] as number;
}

function drop(state: SlidingWindow, first: number, used: number): void {
  for (let i = 0; i < first; i++) {
    state.times.shift();
    state.counts.shift();
  }
  state.used = used;
}

function admit(state: SlidingWindow, now: number, cost: number, grain: number): void {
  const { times, counts } = state;
  const last = times.length - 1;
  const together =
    last >= 0 && (grain === 0 ? times[last] === now : Math.floor((times[last] as number) / grain) === Math.floor(now / grain));
  if (together) {
    times[last] = now;
    counts[last] = (counts[last] as number) + cost;
  } else {
    times.push(now);
    counts.push(cost);
  }
  state.used += cost;
}

/** Takes back the newest admissions. */
function giveBack(state: SlidingWindow, cost: number): void {
  let left = cost;
  while (left > 0 && state.counts.length > 0) {
    const last = state.counts.length - 1;
    const taken = Math.min(left, state.counts[last] as number);
    left -= taken;
    state.used -= taken;
    if (taken === state.counts[last]) {
      state.times.pop();
      state.counts.pop();
    } else state.counts[last] = (state.counts[last] as number) - taken;
  }
}
