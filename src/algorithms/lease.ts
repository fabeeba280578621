import type { Algorithm, Verdict } from '../core/provider.js';
import { verdict } from './quota.js';

interface Lease {
  holder: string;
  until: number;
}

/** Who wants a lease, and for how many milliseconds; 0 gives it back. */
export interface LeaseClaim {
  readonly holder: string;
  readonly ttl: number;
}

/** A key that one holder at a time has, until it gives it back or its time ends. Who holds it may take it again, which prolongs it. */
export const lease: Algorithm<Lease, LeaseClaim> = {
  name: 'lease',
  create: () => ({ holder: '', until: 0 }),
  copy: ({ holder, until }) => ({ holder, until }),
  step(state, { holder, ttl }, now) {
    if (state.until > now && state.holder !== holder) return verdict(false, 1, 0, state.until - now, state.until - now);
    state.holder = holder;
    state.until = ttl > 0 ? now + ttl : 0;
    return verdict(true, 1, 0, 0, ttl);
  },
  lua: {
    body: `
    local holder, ttl = p[1], p[2]
    if raw and #raw > 8 then
      local ends = struct.unpack('>d', raw)
      if ends > now and string.sub(raw, 9) ~= holder then return 0, nil, 0, ends - now, ends - now end
    end
    return 1, ttl > 0 and struct.pack('>d', now + ttl) .. holder or '', ttl, 0, ttl`,
    args: ({ holder, ttl }) => [holder, ttl],
    decision: ([admitted, retryAfter, resetAfter]): Verdict => verdict(admitted === 1, 1, 0, Number(retryAfter), Number(resetAfter)),
  },
};
