import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Exchange } from '../../src/http/exchange.js';
import type { Upstream } from '../../src/proxy/upstream.js';
import type { BalanceName } from '../../src/proxy/upstreamOptions.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { exchangeOf, poolOf, proxyTo } from './proxyTools.js';

/** Numbers that are always the same. */
function seeded(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x8000_0000;
  };
}

/** A pool with one algorithm, whose chance is always the same. */
export function pool(
  t: TestContext,
  algorithm: BalanceName,
  servers: Parameters<typeof poolOf>[0],
  change: Parameters<typeof poolOf>[1] = {},
  clock = new FakeClock(),
) {
  const keyOf = (exchange: Exchange) => exchange.path;
  return proxyTo(t, poolOf(servers, { balance: { algorithm, key: 'path' }, ...change }), { random: seeded(), clock, keyOf }).upstream;
}

/** Which servers are picked, by their letters. */
export function picks(upstream: Upstream, times: number): string {
  return Array.from({ length: times }, () => upstream.pick(exchangeOf())?.url.slice(7, 8)).join('');
}

/** How often each is picked. */
export function shares(upstream: Upstream, times: number): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name of picks(upstream, times)) found[name] = (found[name] ?? 0) + 1;
  return found;
}

/** Holds a number to another, give or take a tenth. */
export function near(got: number | undefined, wanted: number): void {
  assert.ok(Math.abs((got ?? 0) - wanted) < wanted * 0.1, `${got} is not about ${wanted}`);
}
