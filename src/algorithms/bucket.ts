import type { Algorithm } from '../core/provider.js';
import { type Quota, quotaStep, unasked, verdict } from './quota.js';

/**
 * One machine for both buckets: the generic cell rate algorithm (ATM Forum Traffic Management 4.0, I.371), told as a debt that is paid
 * off at `quota` units a millisecond; one call owes `duration` units. Whole numbers only, so no fraction of a call is ever lost.
 */
interface Bucket {
  /** The debt at `at`. */
  debt: number;
  at: number;
}

const limitOf = ({ capacity }: Quota): number => capacity;

function bucket(name: string, queue: boolean): Algorithm<Bucket, Quota> {
  return {
    name,
    create: () => ({ debt: 0, at: 0 }),
    copy: ({ debt, at }) => ({ debt, at }),
    step(state, { quota, duration, capacity, cost }, time) {
      // A clock that stepped back pays nothing off, and owes nothing new.
      const now = time > state.at ? time : state.at;
      const behind = now - time;
      const paid = now - state.at;
      const debt = paid >= state.debt / quota ? 0 : state.debt - paid * quota;
      const most = capacity * duration;
      const next = Math.max(0, debt + cost * duration);
      if (next > most && cost > 0) {
        const retryAfter = cost > capacity ? Infinity : Math.ceil((next - most) / quota) + behind;
        return verdict(false, capacity, Math.floor((most - debt) / duration), retryAfter, debt > 0 ? Math.ceil(debt / quota) + behind : 0);
      }
      if (cost !== 0) {
        state.debt = next;
        // Who owes nothing is as new.
        state.at = next > 0 ? now : 0;
      }
      const delay = queue ? Math.ceil(debt / quota) + (debt > 0 ? behind : 0) : 0;
      return verdict(true, capacity, Math.floor((most - next) / duration), 0, next > 0 ? Math.ceil(next / quota) + behind : 0, delay);
    },
    unasked: unasked(limitOf),
    lua: quotaStep(
      limitOf,
      16,
      `
      local debt, at = 0, 0
      if raw then debt, at = struct.unpack('>dd', raw) end
      local time = now
      if at > now then now = at end
      local behind = now - time
      local paid = now - at
      if paid >= debt / quota then debt = 0 else debt = debt - paid * quota end
      local most = capacity * duration
      local next = math.max(0, debt + cost * duration)
      if next > most and cost > 0 then
        return 0, nil, 0, math.floor((most - debt) / duration), cost > capacity and -1 or math.ceil((next - most) / quota) + behind,
          debt > 0 and math.ceil(debt / quota) + behind or 0
      end
      local reset = next > 0 and math.ceil(next / quota) + behind or 0
      local new
      if cost ~= 0 then new = next > 0 and struct.pack('>dd', next, now) or '' end
      return 1, new, reset, math.floor((most - next) / duration), ${queue ? 'debt > 0 and math.ceil(debt / quota) + behind or 0' : '0'}, reset`,
    ),
  };
}

/** Refills continuously at `quota` per `duration` up to `capacity` (the burst); starts full. */
export const tokenBucket: Algorithm<Bucket, Quota> = bucket('token_bucket', false);

/** A queue that lets one call go every `duration / quota`: `delay` says when it is this one's turn. */
export const leakyBucket: Algorithm<Bucket, Quota> = bucket('leaky_bucket', true);
