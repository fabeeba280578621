import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayConfig } from '../../src/gateway/index.js';

const refusals: readonly (readonly [what: string, yaml: string, told: RegExp])[] = [
  [
    'a template whose names have no * where no path matches',
    'default_features: { cache: { cache_key: "{path.a}:{path.b}" } }',
    /f:2:43: `cache_key` is wrong: \{path\.b\} in/,
  ],
  [
    'a block of mapped addresses that is wider than all of IPv4',
    'trusted_proxies: ["::ffff:10.0.0.0/90"]',
    /f:2:21: `trusted_proxies\[0\]` must be an address or a block/,
  ],
  [
    'more attempts than the policy starts',
    'default_features: { hedge: { after: 1, max_attempts: 101 } }',
    /f:2:\d+: `max_attempts` must be at most 100 \(got 101\)/,
  ],
  [
    'a backoff steeper than the policy takes',
    'default_features: { retry: { wait: { factor: 1001 } } }',
    /f:2:\d+: `factor` must be at most 1000 \(got 1001\)/,
  ],
  [
    'a window of more calls than the policy remembers',
    'default_features: { circuit_breaker: { window: { calls: 1000001 } } }',
    /f:2:\d+: `calls` must be at most 1000000/,
  ],
  [
    'checks without a pause between them',
    'upstreams: { u: { servers: ["http://a"], health: { path: /, interval: 0 } } }',
    /f:2:\d+: `interval` must be longer than 0/,
  ],
  [
    'a check that no server can pass',
    'upstreams: { u: { servers: ["http://a"], health: { path: /, timeout: 0 } } }',
    /f:2:\d+: `timeout` must be longer than 0/,
  ],
  [
    'connections that nobody may take the time to make',
    'upstreams: { u: { servers: ["http://a"], connect_timeout: 0 } }',
    /f:2:\d+: `connect_timeout` must be longer than 0/,
  ],
  [
    'answers that say two things about where they end',
    'default_features: { headers: { response: { set: { Transfer-Encoding: chunked } } } }',
    /f:2:\d+: `Transfer-Encoding` must not be set: the gateway says itself where a body ends/,
  ],
  [
    'a fallback with a length of its own',
    'default_features: { fallback: { body: hello, headers: { content-length: 3 } } }',
    /f:2:\d+: `content-length` must not be set/,
  ],
];

for (const [what, yaml, told] of refusals) {
  test(`a file is refused when it is read, not when the gateway is built: ${what}`, () => {
    assert.throws(() => GatewayConfig.fromText(`premier:\n  ${yaml}\n`, { source: 'f' }), told);
  });
}
