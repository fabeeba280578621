// Premier's gateway, of this repository or, to compare two builds, of the file that PREMIER_GATEWAY names.
const { createGateway } = await import(process.env.PREMIER_GATEWAY ?? '../../../dist/gateway.mjs');

const limit = { quota: 1_000_000_000, duration: 60 };
const policies = {
  rate_limit: limit,
  timeout: { seconds: 10 },
  retry: { max_attempts: 3 },
  circuit_breaker: { failure_threshold: 5 },
};
const quiet = { access: 'none' };

/** What a variant adds to a proxy or to an app. */
const variants = {
  bare: { log: quiet },
  limit: { log: quiet, default_features: { rate_limit: limit } },
  policies: { log: quiet, default_features: policies },
  // Every request has its line on standard output, which is /dev/null here.
  all: { default_features: { ...policies, monitoring: { log_threshold: 1 } } },
  cached: { log: quiet, default_features: { cache: { expire_s: 3600 } } },
};

/** `count` paths of which the last one is asked for. */
function routes(count) {
  const paths = [];
  for (let i = 1; i < count; i++) paths.push({ pattern: `/api/v${i % 7}/group${i}/items/*`, features: { monitoring: {} } });
  return { log: quiet, paths: [...paths, { pattern: '/small*', features: { monitoring: {} } }] };
}

const configOf = (variant) => (typeof variant === 'number' ? routes(variant) : variants[variant]);

/** The rate limit of a framework's entry. */
export async function routeLimit(framework) {
  const { rateLimit } = await import(`../../../dist/${framework}.mjs`);
  return rateLimit(limit);
}

export async function proxy(backend, variant) {
  const gateway = await createGateway({ ...configOf(variant), servers: [backend] });
  return (await gateway.listen({ port: 0 })).port;
}

export async function inFrontOf(app, variant) {
  const gateway = await createGateway(configOf(variant), { app });
  return (await gateway.listen({ port: 0 })).port;
}
