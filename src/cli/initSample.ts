/** The file that `premier init` writes: small enough to read, with the parts that most gateways need. */
export const initSample: string = `# A gateway of Premier. \`premier check\` tells its mistakes, \`premier serve\` runs it,
# \`premier explain gateway.yaml GET /api/users/1\` tells what happens to a request.
# Spans are seconds, or have a unit: 250ms, 5s, 1m. \${NAME} and \${NAME:-default} read the environment.

premier:
  # What all keys in the store begin with.
  keyspace: my-api

  # The servers behind the gateway. Several share the requests.
  servers:
    - \${BACKEND_URL:-http://localhost:3000}

  # Pools with a name, for paths that go elsewhere.
  # upstreams:
  #   users:
  #     servers: [http://users-1:8000, { url: http://users-2:8000, weight: 3 }]
  #     balance: least_connections
  #     health: { path: /health, interval: 10 }

  # Counters and cached answers are in the memory of this process unless several share them:
  # store: { redis: { url: "\${REDIS_URL}" } }

  # The first path that matches counts; \`*\` stands for anything, also for \`/\`. Its features replace the default ones.
  paths:
    - pattern: /api/users/*
      features:
        rate_limit: { quota: 100, duration: 60, algorithm: sliding_window, key: ip }
        cache: { expire_s: 300 }
        timeout: 5
        retry: { max_attempts: 3, wait: [0.2, 0.5] }
        circuit_breaker: { failure_threshold: 5, recovery_timeout: 30 }

    - pattern: /api/admin/*
      features:
        access: { ip_allow: [loopback, private] }
        rate_limit: { quota: 10, duration: 60, algorithm: token_bucket }
        timeout: { seconds: 30, error_message: The admin operation took too long }

    - pattern: /ws/*
      features:
        rate_limit: { quota: 50, duration: 60 } # connections
        websocket: { idle_timeout: 60 }

  # For everything else.
  default_features:
    timeout: 10
    monitoring: { log_threshold: 0.5 }
`;
