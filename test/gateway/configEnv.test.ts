import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GatewayConfig } from '../../src/gateway/config/gatewayConfig.js';

describe('a configuration from the environment', () => {
  let folder = '';
  before(() => void (folder = mkdtempSync(join(tmpdir(), 'premier-env-'))));
  after(() => rmSync(folder, { recursive: true }));

  test('without any variable it is the default', () => {
    assert.deepEqual(GatewayConfig.fromEnv({}).resolved, GatewayConfig.fromObject({}).resolved);
  });

  test('reads the variables of the microservices gateway', () => {
    const { resolved } = GatewayConfig.fromEnv({
      REDIS_URL: 'redis://localhost:6379/0',
      RATE_LIMIT_PER_MINUTE: '60',
      RATE_LIMIT_PER_HOUR: '1000',
      CIRCUIT_BREAKER_FAILURE_THRESHOLD: '5',
      CIRCUIT_BREAKER_TIMEOUT: '60',
      RECOMMENDATION_SERVICE_URL: 'http://recommender:8001',
      CHATBOT_SERVICE_URL: 'http://chatbot:8004',
      FRAUD_SERVICE_URL: 'http://fraud:8005',
      LOG_LEVEL: 'INFO',
      LOG_JSON: 'true',
    });
    assert.deepEqual(
      resolved.paths.map(({ pattern, upstream }) => [pattern, upstream]),
      [
        ['/api/v1/chat/*', 'chatbot-service'],
        ['/api/v1/fraud/*', 'fraud-service'],
        ['/api/v1/recommendations/*', 'recommendation-service'],
      ],
    );
    assert.deepEqual(resolved.upstreams['chatbot-service']?.servers, [{ url: 'http://chatbot:8004', weight: 1 }]);
    for (const features of [resolved.paths[0]?.features, resolved.default_features]) {
      assert.deepEqual(
        features?.rate_limit?.limits?.map(({ quota, duration }) => [quota, duration]),
        [
          [60, 60_000],
          [1000, 3_600_000],
        ],
      );
      assert.equal(features?.circuit_breaker?.failure_threshold, 5);
      assert.equal(features?.circuit_breaker?.recovery_timeout, 60_000);
    }
    assert.equal(resolved.store.redis?.url, 'redis://localhost:6379/0');
    assert.equal(resolved.log.level, 'info');
  });

  test('reads the variables that begin with API_GATEWAY_, and tells which have no meaning here', () => {
    const env = {
      API_GATEWAY_RATE_LIMIT_PER_MINUTE: '60',
      API_GATEWAY_BURST_SIZE: '10',
      API_GATEWAY_CACHE_TTL: '300',
      API_GATEWAY_CACHE_MAX_SIZE: '1000',
      API_GATEWAY_CB_SUCCESS_THRESHOLD: '3',
      API_GATEWAY_ENABLED: 'true',
    };
    const { resolved, warnings } = GatewayConfig.fromEnv(env);
    assert.equal(resolved.default_features?.cache?.expire_s, 300_000);
    assert.equal(resolved.default_features?.circuit_breaker?.success_threshold, 3);
    assert.deepEqual(
      warnings.map(({ path }) => path),
      ['API_GATEWAY_BURST_SIZE', 'API_GATEWAY_CACHE_MAX_SIZE'],
    );
    assert.equal(GatewayConfig.fromEnv({ ...env, API_GATEWAY_ENABLED: 'false' }).resolved.default_features, undefined);
  });

  test('what begins with PREMIER_ wins over the file, the rest fills it up', () => {
    const file = join(folder, 'gateway.yaml');
    writeFileSync(
      file,
      'premier:\n  keyspace: file\n  log: { level: debug }\n  default_features:\n    rate_limit: { quota: 5, duration: 1 }\n',
    );
    const config = GatewayConfig.fromEnv({
      PREMIER_CONFIG_FILE: file,
      PREMIER_KEYSPACE: 'env',
      PREMIER_REDIS_URL: 'redis://own',
      REDIS_URL: 'redis://other',
      LOG_LEVEL: 'ERROR',
      MASTER_KEY: 'secret',
      RATE_LIMIT_PER_MINUTE: '60',
      CIRCUIT_BREAKER_TIMEOUT: '30',
    });
    const { resolved } = config;
    assert.equal(config.source, file);
    assert.equal(resolved.keyspace, 'env');
    assert.equal(resolved.store.redis?.url, 'redis://own');
    assert.equal(resolved.log.level, 'debug');
    assert.equal(resolved.admin.master_key, 'secret');
    assert.equal(resolved.default_features?.rate_limit?.quota, 5);
    assert.equal(resolved.default_features?.rate_limit?.limits, undefined);
    assert.equal(resolved.default_features?.circuit_breaker?.recovery_timeout, 30_000);
  });

  test('a file is read again with the environment around it', () => {
    const file = join(folder, 'again.yaml');
    writeFileSync(file, 'premier: { grace: 1 }');
    const config = GatewayConfig.fromEnv({ PREMIER_CONFIG_FILE: file, PREMIER_KEYSPACE: 'env' });
    writeFileSync(file, 'premier: { grace: 2 }');
    const again = config.reread();
    assert.equal(again.resolved.grace, 2000);
    assert.equal(again.resolved.keyspace, 'env');
    assert.equal(config.resolved.grace, 1000);
  });

  test('a bad variable is named', () => {
    assert.throws(
      () => GatewayConfig.fromEnv({ RATE_LIMIT_PER_MINUTE: 'ten', API_GATEWAY_ENABLED: 'maybe', LOG_LEVEL: 'loud' }),
      ({ message }: Error) => {
        assert.match(
          message,
          /^RATE_LIMIT_PER_MINUTE: the variable `RATE_LIMIT_PER_MINUTE` must be a whole number of at least 1 \(got 'ten'\)$/m,
        );
        assert.match(message, /^API_GATEWAY_ENABLED: .* must be true or false/m);
        assert.match(message, /^log\.level: .*\(got 'loud'\)$/m);
        return true;
      },
    );
  });
});
