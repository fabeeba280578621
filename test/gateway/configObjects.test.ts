import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../src/gateway/config/configError.js';
import { GatewayConfig } from '../../src/gateway/config/gatewayConfig.js';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';

const camel: GatewayOptions = {
  keyspace: 'a',
  servers: ['http://a', { url: 'http://b', weight: 2 }],
  defaultFeatures: {
    timeout: 5,
    rateLimit: { quota: 1, duration: '1m', key: ['ip'], tiers: { myTier: { quota: 5, duration: 1 } } },
    headers: { response: { set: { 'X-fooBar': 1, xFrame: 'a' } } },
  },
  paths: [
    {
      pattern: '/a',
      features: {
        rate_limit: { quota: 1, duration: 5, errorStatus: 503 },
        timeout: { seconds: 5, perTry: 1 },
        retry: { wait: [1, '2s'], on: [502, 'connect_error'], maxAttempts: 2 },
      },
    },
  ],
  upstreams: { myPool: { servers: ['http://x'], balance: 'p2c', keepAlive: 4, health: { timeout: 3, healthyAfter: 2 } } },
  trustedProxies: ['private'],
};

const snake: GatewayOptions = {
  keyspace: 'a',
  servers: ['http://a', { url: 'http://b', weight: 2 }],
  default_features: {
    timeout: { seconds: 5 },
    rate_limit: { quota: 1, duration: 60, key: ['ip'], tiers: { myTier: { quota: 5, duration: 1 } } },
    headers: { response: { set: { 'X-fooBar': 1, xFrame: 'a' } } },
  },
  paths: [
    {
      pattern: '/a',
      features: {
        rate_limit: { quota: 1, duration: 5, error_status: 503 },
        timeout: { seconds: 5, per_try: 1 },
        retry: { wait: [1, '2s'], on: [502, 'connect_error'], max_attempts: 2 },
      },
    },
  ],
  upstreams: { myPool: { servers: ['http://x'], balance: { algorithm: 'p2c' }, keep_alive: 4, health: { timeout: 3, healthy_after: 2 } } },
  trusted_proxies: ['private'],
};

// @ts-expect-error a key that nobody knows
const misspelt: GatewayOptions = { keyspce: 'a' };
// @ts-expect-error a text where a number belongs
const mistyped: GatewayOptions = { defaultFeatures: { rateLimit: { quota: 'ten', duration: 1 } } };
// @ts-expect-error neither a span nor a mapping
const untimed: GatewayOptions = { default_features: { timeout: true } };
// @ts-expect-error no balance
const unbalanced: GatewayOptions = { upstreams: { x: { servers: ['http://a'], balance: 'fair' } } };

function messageOf(options: unknown): string {
  try {
    GatewayConfig.fromObject(options as GatewayOptions);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, 'PREMIER_OPTIONS');
    return error.message;
  }
  return assert.fail('it was accepted');
}

describe('a configuration in code', () => {
  test('camelCase and snake_case mean the same, and free names keep their case', () => {
    const { resolved } = GatewayConfig.fromObject(camel);
    assert.deepEqual(resolved, GatewayConfig.fromObject(snake).resolved);
    assert.deepEqual(resolved.default_features?.headers?.response?.set, { 'X-fooBar': '1', xFrame: 'a' });
    assert.deepEqual(Object.keys(resolved.default_features?.rate_limit?.tiers ?? {}), ['myTier']);
    assert.equal(resolved.upstreams['myPool']?.keep_alive, 4000);
  });

  test('the namespace around it may be there or not', () => {
    const plain = GatewayConfig.fromObject({ keyspace: 'k' }).resolved;
    assert.deepEqual(GatewayConfig.fromObject({ premier: { keyspace: 'k' } }).resolved, plain);
    assert.deepEqual(GatewayConfig.fromObject({ tool: { premier: { keyspace: 'k' } } }, { namespace: 'tool.premier' }).resolved, plain);
    assert.deepEqual(GatewayConfig.fromObject({ 'tool.premier': { keyspace: 'k' } }, { namespace: 'tool.premier' }).resolved, plain);
  });

  test('mistakes name the whole path', () => {
    assert.equal(messageOf(misspelt), 'keyspce: unknown key `keyspce`; did you mean `keyspace`?');
    assert.equal(messageOf(mistyped), "default_features.rate_limit.quota: `quota` must be a whole number of at least 1 (got 'ten')");
    assert.match(messageOf(untimed), /^default_features\.timeout: `timeout` must be a mapping/);
    assert.match(messageOf(unbalanced), /^upstreams\.x\.balance: `balance` must be one of `round_robin`.*\(got 'fair'\)$/);
    assert.equal(
      messageOf({ paths: [{ pattern: '/a', features: { rateLimit: { quotas: 1, duration: 1, quota: 1 } } }] }),
      'paths[0].features.rate_limit.quotas: unknown key `quotas`; did you mean `quota`?',
    );
  });

  test('one key in both spellings is a mistake', () => {
    assert.match(messageOf({ trustedProxies: [], trusted_proxies: [] }), /both spellings/);
  });

  test('what is no configuration at all is told', () => {
    assert.equal(messageOf(5), '`premier` must be a mapping (got 5)');
    assert.match(messageOf(JSON.parse('{"__proto__": {"keyspace": "x"}}')), /__proto__/);
  });
});
