import type { Algorithm } from '../core/provider.js';
import { type Quota, verdict } from './quota.js';

/**
 * One machine for both buckets: the generic cell rate algorithm (ATM Forum Traffic Management 4.0, I.371), told as a debt that is paid
 * off at `quota` units a millisecond; one call owes `duration` units. Whole numbers only, so no fraction of a call is ever lost.
 */
interface Bucket {
  /** The debt at `at`. */
  debt: number;
  at: number;
}

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
        state.at = now;
      }
      const delay = queue ? Math.ceil(debt / quota) + (debt > 0 ? behind : 0) : 0;
      return verdict(true, capacity, Math.floor((most - next) / duration), 0, next > 0 ? Math.ceil(next / quota) + behind : 0, delay);
    },
  };
}

/** Refills continuously at `quota` per `duration` up to `capacity` (the burst); starts full. */
export const tokenBucket: Algorithm<Bucket, Quota> = bucket('token_bucket', false);

/** A queue that lets one call go every `duration / quota`: `delay` says when it is this one's turn. */
export const leakyBucket: Algorithm<Bucket, Quota> = bucket('leaky_bucket', true);
