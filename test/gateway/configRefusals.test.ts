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
];

for (const [what, yaml, told] of refusals) {
  test(`a file is refused when it is read, not when the gateway is built: ${what}`, () => {
    assert.throws(() => GatewayConfig.fromText(`premier:\n  ${yaml}\n`, { source: 'f' }), told);
  });
}
