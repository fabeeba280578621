import type { Algorithm } from '../core/provider.js';
import { type Quota, quotaStep, unasked, verdict } from './quota.js';

const limitOf = ({ quota }: Quota): number => quota;

interface FixedWindow {
  end: number;
  count: number;
}

/** A counter that starts at a key's first call and starts anew when `duration` has passed. Up to twice the quota may fall into one span. */
export const fixedWindow: Algorithm<FixedWindow, Quota> = {
  name: 'fixed_window',
  create: () => ({ end: 0, count: 0 }),
  copy: ({ end, count }) => ({ end, count }),
  step(state, { quota, duration, cost }, now) {
    const live = now < state.end;
    const used = live ? state.count : 0;
    const end = live ? state.end : now + duration;
    const count = Math.max(0, used + cost);
    if (count > quota && cost > 0)
      return verdict(false, quota, quota - used, cost > quota ? Infinity : end - now, used > 0 ? end - now : 0);
    if (cost !== 0) {
      state.end = count > 0 ? end : 0;
      state.count = count;
    }
    return verdict(true, quota, quota - count, 0, count > 0 ? end - now : 0);
  },
  unasked: unasked(limitOf),
  lua: quotaStep(
    limitOf,
    16,
    `
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
    return 1, new, reset, quota - count, 0, reset`,
  ),
};
