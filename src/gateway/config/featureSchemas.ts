import { z } from 'zod';
import { idempotentMethods } from '../../http/methods.js';
import { authSchema } from './authSchema.js';
import { fitting, oneWindow } from './fitting.js';
import { addressBlock, count, duration, fieldName, fieldValues, method, span, status, word } from './fields.js';
import { headerChanges } from './headerChanges.js';
import { transformSchema } from './transformSchema.js';

const algorithm = z.enum(['fixed_window', 'sliding_window', 'token_bucket', 'leaky_bucket']);
const key = z.union([word(), z.array(word()).min(1)]);

const numbers = {
  quota: count(1).describe('Requests per `duration`.'),
  duration: span().describe('The span of the quota.'),
  algorithm: algorithm.default('fixed_window').describe('How requests are counted.'),
  bucket_size: count(1).optional().describe('Places in a leaky bucket. The quota by default.'),
  burst: count(1).optional().describe('What a rested token bucket admits at once. The quota by default.'),
};

const rateLimit = z
  .strictObject({
    ...numbers,
    quota: numbers.quota.optional(),
    duration: numbers.duration.optional(),
    key: key
      .default('ip')
      .describe(
        'Whose quota it is: `ip`, `header:x-user`, `consumer`, `claim:sub`, `cookie:…`, `query:…`, `path`, a template, or a list of them.',
      ),
    error_status: status().default(429).describe('The status of a refusal.'),
    error_message: word().default('Rate limit exceeded').describe('The message of a refusal.'),
    count_cache_hits: z.boolean().default(true).describe('Whether an answer from the cache spends quota.'),
    limits: z
      .array(
        z.strictObject({ ...numbers, key: key.optional().describe('Whose quota it is, where it is another one.') }).superRefine(fitting),
      )
      .min(1)
      .optional()
      .describe('Several limits, spent all or none.'),
    tiers: z.record(word(), z.strictObject(numbers).superRefine(fitting)).optional().describe('Limits by the tier of the consumer.'),
  })
  .superRefine((given, context) => {
    fitting(given, context);
    const own = given.quota !== undefined && given.duration !== undefined;
    if (given.limits === undefined && !own) context.addIssue({ code: 'custom', message: 'needs `quota` and `duration`, or `limits`' });
    if (given.limits !== undefined && (given.quota !== undefined || given.duration !== undefined))
      context.addIssue({ code: 'custom', message: 'must not have `quota` and `duration` beside `limits`: they go into each of those' });
  });

const cache = z.strictObject({
  expire_s: duration()
    .optional()
    .describe(
      'How long an answer is fresh where the upstream says nothing: its word wins. Without either, an answer is kept until it is dropped; 0 leaves it to RFC 9111, which guesses by Last-Modified.',
    ),
  cache_key: word().optional().describe('A template for the key: `"user:{path.id}:{query.page}"`. The address by default.'),
  vary: z.array(fieldName()).default([]).describe('Request fields that tell answers apart, beside those of `Vary`.'),
  stale_s: duration().default(0).describe('How long a stale answer may be served while one request refreshes it.'),
  stale_if_error_s: duration().default(0).describe('How long a stale answer may be served when the upstream fails.'),
  methods: z.array(method()).default(['GET', 'HEAD']).describe('Methods that are cached.'),
  store_set_cookie: z.boolean().default(false).describe('Whether answers with `Set-Cookie` are stored.'),
  store_private: z
    .boolean()
    .default(false)
    .describe('Whether answers to requests with `Authorization`, or that are `private`, are stored.'),
  store_errors: z.boolean().default(false).describe('Whether answers with a 5xx status are stored.'),
  max_bytes: count(1).default(1_048_576).describe('Longer bodies are not stored.'),
  honor_request: z.boolean().default(false).describe('Whether `Cache-Control` of the request counts. Anybody could then empty the cache.'),
  ignore_upstream: z
    .boolean()
    .default(false)
    .describe('Whether `Cache-Control` of the upstream is left alone, and `expire_s` counts alone.'),
});

const wait = z.union([
  duration(),
  z.array(duration()).min(1),
  z.strictObject({
    base: duration().default(1000).describe('The first wait.'),
    factor: z.number().min(1).max(1000).default(2).describe('What each wait is multiplied with.'),
    max: duration().default(30_000).describe('The longest wait.'),
    jitter: z.enum(['none', 'full', 'equal', 'decorrelated']).default('full').describe('How waits are spread.'),
  }),
]);

const retry = z.strictObject({
  max_attempts: count(1).default(3).describe('Attempts in all, the first one included.'),
  wait: wait.default(1000).describe('The wait between attempts: one for all, a list, or a backoff.'),
  on: z
    .array(z.union([z.enum(['connect_error', 'timeout', 'reset']), status()]))
    .min(1)
    .default(['connect_error', 502, 503, 504])
    .describe('What is tried again.'),
  methods: z
    .array(method())
    .default([...idempotentMethods])
    .describe('Methods that may be sent twice. `Idempotency-Key` opts any other in.'),
  budget: z.number().min(0).max(1).default(0.2).describe('The share of requests that may be retries.'),
  exceptions: z.array(word()).optional().describe('Accepted from Premier for Python; `on` says what is tried again.'),
});

const timeout = z.preprocess(
  (given) => (typeof given === 'number' || typeof given === 'string' ? { seconds: given } : given),
  z.strictObject({
    seconds: span().describe('How long the head of the answer may take, retries included; after it, how long the body may be silent.'),
    per_try: span().optional().describe('How long one attempt may take.'),
    error_status: status().default(504).describe('The status of the refusal.'),
    error_message: word().default('Request timeout').describe('The message of the refusal.'),
  }),
);

const answer = z.strictObject({
  status: status().default(503).describe('The status.'),
  body: z.unknown().optional().describe('The body: a text as it is, everything else as JSON.'),
  headers: fieldValues().default({}).describe('Header fields.'),
});

const circuitBreaker = z.strictObject({
  failure_threshold: count(1).optional().describe('Failures in a row that open the circuit. 5 by default; not together with `window`.'),
  recovery_timeout: span().default(60_000).describe('How long an open circuit refuses before it lets a probe through.'),
  success_threshold: count(1).default(1).describe('Good probes that close it.'),
  half_open_max: count(1).default(1).describe('Probes at once.'),
  window: z
    .strictObject({
      seconds: span().optional().describe('Looks at the requests of this span. Either this or `calls`.'),
      calls: count(1).max(1_000_000, 'must be at most 1000000').optional().describe('Looks at so many requests.'),
      min_calls: count(1).optional().describe('With fewer requests the circuit stays closed. 10 by default, or `calls` if that is fewer.'),
      failure_rate: z.number().min(0.001).max(1).default(0.5).describe('The share of failures that opens.'),
      slow_rate: z.number().min(0.001).max(1).default(1).describe('The share of slow requests that opens.'),
      slow_after: duration().optional().describe('From when on a request is slow. None is by default.'),
    })
    .superRefine(oneWindow)
    .optional()
    .describe('Opens by the share of bad calls instead of a row of them.'),
  fallback: answer.optional().describe('What to answer while the circuit is open.'),
  expected_exception: word()
    .optional()
    .describe('Accepted from Premier for Python; failures are 5xx but 501, timeouts and lost connections.'),
  shared: z.boolean().default(false).describe('Whether all gateways on one Redis open together.'),
});

const access = z.strictObject({
  roles: z.array(word()).optional(),
  scopes: z.array(word()).optional(),
  ip_allow: z.array(addressBlock()).optional().describe('Only clients from these blocks come in.'),
  ip_deny: z.array(addressBlock()).optional().describe('Clients from these blocks do not, whatever `ip_allow` says.'),
  methods: z.array(method()).min(1, 'must hold at least one').optional().describe('Only these methods; `GET` lets `HEAD` in too.'),
  rbac: z.record(z.string(), z.unknown()).optional(),
});

/** Every feature by its YAML key, in the order of the pipeline, outermost first. */
export const featureSchemas = {
  cors: z
    .strictObject({
      origins: z.array(word()).min(1).describe('Origins that may read answers; `*` for all.'),
      methods: z.array(method()).default(['GET', 'HEAD', 'POST']).describe('Methods that may be used.'),
      headers: z.array(word()).default([]).describe('Request fields that may be sent.'),
      expose: z.array(fieldName()).default([]).describe('Answer fields that may be read.'),
      credentials: z.boolean().default(false).describe('Whether cookies go along.'),
      max_age: duration().default(600_000).describe('How long a browser may remember this.'),
    })
    .describe('Which pages of other origins may call and read.'),
  access: access.describe('Who may come in: addresses, methods, roles and scopes.'),
  auth: authSchema.describe('Who is asking.'),
  rate_limit: rateLimit.describe('How many requests a caller may make.'),
  body_limit: z.strictObject({ max_bytes: count(0).describe('The longest body that is accepted.') }).describe('Refuses long bodies.'),
  cache: cache.describe('Keeps answers (RFC 9111).'),
  transform: transformSchema.describe('Changes requests and answers.'),
  fallback: answer.extend({ status: status().default(200).describe('The status.') }).describe('What to answer when all else failed.'),
  timeout: timeout.describe('How long an answer may take.'),
  retry: retry.describe('Tries again.'),
  circuit_breaker: circuitBreaker.describe('Stops asking what fails.'),
  bulkhead: z
    .strictObject({
      max_concurrent: count(1).describe('Requests at once.'),
      max_queue: count(0).default(0).describe('Requests that may wait for a place.'),
      max_wait: duration().default(1000).describe('How long they wait.'),
    })
    .describe('So many requests at once.'),
  hedge: z
    .strictObject({
      after: duration().describe('How long an attempt may be silent before another one starts beside it.'),
      max_attempts: count(2).max(100, 'must be at most 100').default(2).describe('Attempts in all.'),
    })
    .describe('Starts another attempt beside a slow one.'),
  mirror: z
    .strictObject({
      upstream: word().describe('The pool that gets a copy.'),
      percent: z.number().min(0).max(100).default(100).describe('The share of requests that are copied.'),
    })
    .describe('Sends copies of requests to another pool.'),
  headers: z
    .strictObject({
      request: z.strictObject(headerChanges).optional().describe('What the upstream sees.'),
      response: z.strictObject(headerChanges).optional().describe('What the client sees.'),
    })
    .describe('Sets header fields and takes them out.'),
  monitoring: z
    .strictObject({
      log_threshold: duration().default(100).describe('Requests (and WebSockets) that take at least this long are logged as slow.'),
    })
    .describe('Tells of slow requests.'),
  websocket: z
    .strictObject({
      max_connections: count(1).optional().describe('Connections at once on this path.'),
      idle_timeout: duration().optional().describe('How long nothing may be sent either way.'),
      max_message_bytes: count(1).optional().describe('The longest message from a client.'),
      max_messages_per_s: count(1).optional().describe('Messages a second from a client.'),
      origins: z
        .array(word())
        .default([])
        .describe('Origins that may connect; `*` for all. Only the own host by default where cookies are sent.'),
    })
    .describe('Who may open WebSockets, and what they are held to.'),
} as const;

/** The features of one path, resolved. */
export type Features = { -readonly [K in keyof typeof featureSchemas]?: z.output<(typeof featureSchemas)[K]> | undefined };

/** The name of a feature, as in YAML. */
export type FeatureName = keyof typeof featureSchemas;
