import { isMapping } from './configPath.js';
import type { Translation } from './translation.js';

/** Translates `services` (url, rate_limit) and `settings.rate_period`, with what that gateway did without being asked. */
export function importServices(root: Record<string, unknown>): Translation {
  const notes = new Set<string>();
  const settings = isMapping(root['settings']) ? root['settings'] : {};
  const period = typeof settings['rate_period'] === 'number' ? settings['rate_period'] : 60;
  const upstreams: Record<string, unknown> = {};
  const paths: unknown[] = [];
  for (const [name, service] of Object.entries(root['services'] as Record<string, unknown>)) {
    if (!isMapping(service) || typeof service['url'] !== 'string') {
      notes.add(`the service \`${name}\` without \`url\` was left out`);
      continue;
    }
    upstreams[name] = { servers: [service['url']] };
    paths.push({
      pattern: `/${name}/*`,
      methods: ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'],
      upstream: name,
      features: {
        auth: { api_key: { header: 'X-API-Key' } },
        rate_limit: { quota: service['rate_limit'] ?? 100, duration: period, key: 'consumer' },
        transform: { request: { strip_prefix: `/${name}` } },
        timeout: { seconds: 16, per_try: 5 },
        retry: { max_attempts: 3, wait: [0.2, 0.4] },
        circuit_breaker: { failure_threshold: 5, recovery_timeout: 30 },
      },
    });
  }
  notes.add('`auth` asks for an API key and `transform` strips the name of the service, as before; both come in a later version');
  notes.add('retries are for idempotent methods only; before, a POST could be sent three times');
  notes.add('MASTER_KEY, REDIS_URL and DATABASE_URL are read from the environment');
  return {
    config: {
      store: { redis: { url: '${REDIS_URL:-redis://localhost:6379/0}' } },
      admin: { master_key: '${MASTER_KEY}' },
      upstreams,
      paths,
    },
    comments: {
      store: 'Counters stood in Redis.',
      admin: 'For POST /admin/generate_key.',
      upstreams: 'From `services.*.url`.',
      paths: 'From `services`: quotas by `rate_limit` and `settings.rate_period`; timeout, retries and breaker were fixed.',
    },
    notes: [...notes],
  };
}
