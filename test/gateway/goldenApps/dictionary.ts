import type { GatewayOptions } from '../../../src/gateway/index.js';

/** The dictionary of the first README's quick start, key for key. */
export const quickStart: GatewayOptions = {
  keyspace: 'my-api-gateway',
  paths: [
    {
      pattern: '/api/users/*',
      features: {
        rate_limit: { algorithm: 'sliding_window', quota: 100, duration: 60 },
        cache: { expire_s: 300 },
        timeout: 10.0,
        monitoring: { log_threshold: 0.1 },
      },
    },
    {
      pattern: '/api/admin/*',
      features: {
        rate_limit: { algorithm: 'token_bucket', quota: 10, duration: 60 },
        retry: { max_attempts: 3, wait: 1.0 },
        timeout: 30.0,
      },
    },
  ],
  default_features: { timeout: 5.0, monitoring: { log_threshold: 0.5 } },
};

/** The same in the spelling of TypeScript. */
export const quickStartInCamelCase: GatewayOptions = {
  keyspace: 'my-api-gateway',
  paths: [
    {
      pattern: '/api/users/*',
      features: {
        rateLimit: { algorithm: 'sliding_window', quota: 100, duration: 60 },
        cache: { expireS: 300 },
        timeout: 10.0,
        monitoring: { logThreshold: 0.1 },
      },
    },
    {
      pattern: '/api/admin/*',
      features: {
        rateLimit: { algorithm: 'token_bucket', quota: 10, duration: 60 },
        retry: { maxAttempts: 3, wait: 1.0 },
        timeout: 30.0,
      },
    },
  ],
  defaultFeatures: { timeout: 5.0, monitoring: { logThreshold: 0.5 } },
};

/** Its patterns by path: an hour's limit, a burst, a star in the middle, a regular expression. */
export const patterns: GatewayOptions = {
  keyspace: 'production-gateway',
  paths: [
    {
      pattern: '/api/public/*',
      features: {
        rate_limit: { algorithm: 'fixed_window', quota: 1000, duration: 3600 },
        cache: { expire_s: 1800 },
        timeout: 5.0,
        monitoring: { log_threshold: 0.1 },
      },
    },
    {
      pattern: '/api/admin/*',
      features: {
        rate_limit: { algorithm: 'token_bucket', quota: 20, duration: 300 },
        retry: { max_attempts: 3, wait: 1.0 },
        timeout: 30.0,
        monitoring: { log_threshold: 0.05 },
      },
    },
    {
      pattern: '/api/users/*/data',
      features: {
        rate_limit: { algorithm: 'sliding_window', quota: 100, duration: 60 },
        cache: { expire_s: 300 },
        timeout: 10.0,
      },
    },
    { pattern: '^/health$', features: { monitoring: { log_threshold: 0.01 } } },
  ],
  default_features: { timeout: 5.0, monitoring: { log_threshold: 1.0 } },
};
