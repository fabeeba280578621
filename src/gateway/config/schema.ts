import { z } from 'zod';
import { addressBlock, cookieName, count, duration, method, origin, span, timer, word } from './fields.js';
import { featureSchemas } from './featureSchemas.js';

const optional = Object.fromEntries(Object.entries(featureSchemas).map(([name, schema]) => [name, schema.optional()])) as {
  [K in keyof typeof featureSchemas]: z.ZodOptional<(typeof featureSchemas)[K]>;
};
const features = z.strictObject(optional);

const server = z.preprocess(
  (given) => (typeof given === 'string' ? { url: given } : given),
  z.strictObject(
    {
      url: origin().describe('Where it listens.'),
      weight: count(0).default(1).describe('Its share of the requests; 0 for none.'),
    },
    { error: ({ code }) => (code === 'invalid_type' ? 'must be an address such as http://backend:8000, or a mapping' : undefined) },
  ),
);

const balanceName = z.enum(['round_robin', 'random', 'least_connections', 'p2c', 'consistent_hash']);
const balance = z.preprocess(
  (given) => (typeof given === 'string' ? { algorithm: given } : given),
  z.strictObject({
    algorithm: balanceName.default('round_robin').describe('Who is asked next.'),
    key: word().default('ip').describe('What `consistent_hash` goes by, as in `rate_limit.key`.'),
  }),
);

const health = z.strictObject({
  path: z.string().startsWith('/').optional().describe('What is asked for. Without it, only requests tell whether a server is well.'),
  interval: span().default(10_000).describe('How often.'),
  timeout: span().default(2000).describe('How long an answer may take.'),
  healthy_after: count(1).default(1).describe('Good checks until a server gets requests again.'),
  unhealthy_after: count(1).default(1).describe('Bad checks until it gets none.'),
  status: z
    .union([count(100), z.array(count(100)).min(1)])
    .optional()
    .describe('Good statuses; 2xx and 3xx by default.'),
  max_fails: count(0).default(1).describe('Requests in a row without an answer until a server gets none; 0 turns this off.'),
  fail_duration: duration().default(10_000).describe('How long it then rests.'),
  slow_start: duration().default(0).describe('How long it takes until it has its full share again.'),
});

const tls = z.strictObject({
  insecure: z.boolean().default(false).describe('Accepts any certificate. Never in production.'),
  ca: word().optional().describe('A file of certificates to trust.'),
  cert: word().optional().describe('A file with our own certificate.'),
  key: word().optional().describe('A file with its key.'),
  server_name: word().optional().describe('The name on the certificate, where it is not that of the address.'),
});

const upstream = z.strictObject({
  servers: z.array(server).min(1, 'needs at least one server').describe('Its servers.'),
  balance: balance.default({ algorithm: 'round_robin', key: 'ip' }).describe('How requests are spread.'),
  sticky: z
    .union([z.literal('cookie'), z.strictObject({ cookie: cookieName().describe('The name of the cookie.') })])
    .optional()
    .describe('Keeps a client on its server, by a cookie.'),
  health: health.prefault({}).describe('Which servers are well.'),
  connections: count(1).default(128).describe('Connections to each server at once.'),
  connect_timeout: span().default(5000).describe('How long connecting may take.'),
  keep_alive: duration().default(4000).describe('How long an idle connection is kept: less than the server keeps it.'),
  host: z.enum(['client', 'server']).default('client').describe('Which `Host` the server sees: the one that the client sent, or its own.'),
  circuit_breaker: featureSchemas.circuit_breaker.optional().describe('One circuit for the pool, beside those of the paths.'),
  tls: tls.prefault({}).describe('How `https:` servers are trusted.'),
});

const pattern = word().superRefine((given, context) => {
  if (!given.startsWith('^')) {
    if (!given.startsWith('/') && !given.startsWith('*'))
      context.addIssue({ code: 'custom', message: 'must begin with / (or with ^ for a regular expression)' });
    return;
  }
  const complaint = complaintOf(given);
  if (complaint !== undefined) context.addIssue({ code: 'custom', message: `is no regular expression: ${complaint}` });
});

function complaintOf(source: string): string | undefined {
  try {
    return void RegExp(source);
  } catch (error) {
    return (error as Error).message;
  }
}

const path = z.strictObject({
  pattern: pattern.describe('A path; `*` stands for anything, `/` included; or a regular expression that begins with `^`.'),
  methods: z.array(method()).min(1).optional().describe('Only these methods.'),
  host: word().optional().describe('Only this host; `*.example.com` for all below it.'),
  enabled: z.boolean().default(true).describe('Whether this path is looked at.'),
  upstream: word().optional().describe('The pool that it goes to.'),
  features: features
    .nullish()
    .transform((given) => given ?? {})
    .describe('What happens around a request.'),
});

const admin = z.strictObject({
  listener: word().optional().describe('Where the own paths are served instead, such as 127.0.0.1:9000.'),
  paths: z.boolean().default(true).describe('Whether /health, /metrics and the others are served at all.'),
  tokens: z
    .array(
      z.strictObject({
        token: word().describe('What stands behind `Authorization: Bearer`.'),
        role: z.enum(['viewer', 'admin']).default('viewer').describe('`admin` may change something.'),
      }),
    )
    .default([])
    .describe('Who may do what.'),
  master_key: word().optional().describe('The `X-Master-Key` of /admin.'),
});

const log = z.strictObject({
  level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info').describe('From which level on.'),
  access: z.enum(['all', 'slow', 'none']).default('all').describe('Which requests get a line.'),
});

const limits = z.strictObject({
  max_uri_bytes: count(1).default(8192).describe('The longest address, query included.'),
  max_header_bytes: count(1024).default(16_384).describe('The longest head.'),
  header_timeout: timer().default(15_000).describe('How long the head may take to arrive.'),
  request_timeout: timer().default(300_000).describe('How long the whole request may take to arrive.'),
  keep_alive: timer().default(65_000).describe('How long an idle connection is kept: longer than what stands in front keeps it.'),
  max_connections: count(1).optional().describe('Connections at once; more are closed at once. No limit by default.'),
});

/** Everything below the namespace of a gateway's file. */
export const configSchema = z.strictObject({
  keyspace: word().default('asgi-gateway').describe('What all keys in the store begin with.'),
  servers: z.array(server).min(1).optional().describe('The servers behind the gateway: the pool named `default`.'),
  upstreams: z.record(word(), upstream).default({}).describe('Named pools.'),
  store: z
    .strictObject({
      redis: z
        .strictObject({
          url: word()
            .regex(/^(?:rediss?|unix):\/\//, 'must begin with redis://, rediss:// or unix://')
            .describe('Such as redis://localhost:6379/0.'),
        })
        .optional()
        .describe('Redis, for several processes.'),
    })
    .default({})
    .describe('Where counters, cached answers and shared circuits live. The memory of this process by default.'),
  trusted_proxies: z.array(addressBlock()).default([]).describe('Proxies in front, whose X-Forwarded-* are believed.'),
  admin: admin.prefault({}).describe('The own paths.'),
  paths: z
    .array(path)
    .nullish()
    .transform((given) => given ?? [])
    .describe('What happens where; the first that matches counts.'),
  default_features: features
    .nullish()
    .transform((given) => given ?? undefined)
    .describe('For paths that match nothing.'),
  log: log.prefault({}).describe('Logging.'),
  limits: limits.prefault({}).describe('What a client may send.'),
  merge_slashes: z.boolean().default(true).describe('Whether `//` in a path counts as `/`.'),
  encoded_slashes: z
    .enum(['reject', 'keep'])
    .optional()
    .describe('What `%2F` in a path is. Rejected where auth or access rules stand, else kept.'),
  grace: duration().default(10_000).describe('How long requests under way may take at shutdown.'),
  drain_delay: duration().default(0).describe('How long /health says 503 before a shutdown begins.'),
});

/** A gateway's configuration, checked and with its defaults. Spans are in milliseconds. */
export type ResolvedConfig = z.output<typeof configSchema>;

/** One path of it. */
export type PathConfig = ResolvedConfig['paths'][number];

/** One pool of servers. */
export type UpstreamConfig = z.output<typeof upstream>;

/** What `upstreams` accepts for one pool; `servers` becomes one of these. */
export const upstreamSchema = upstream;
