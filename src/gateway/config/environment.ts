import type { ConfigIssue } from './configError.js';
import { isMapping } from './configPath.js';
import type { Variables } from './variables.js';

/** What the environment says about a configuration. */
export interface EnvOverlay {
  /** The file that `PREMIER_CONFIG_FILE` names. */
  readonly file: string | undefined;
  /** What wins over the file. */
  readonly wins: Readonly<Record<string, unknown>>;
  /** What stands where the file says nothing. */
  readonly fills: Readonly<Record<string, unknown>>;
  readonly issues: readonly ConfigIssue[];
  readonly warnings: readonly ConfigIssue[];
}

/** Paths of the services of the gateway whose variables end in `_SERVICE_URL`, where they are not the service's own name. */
const servicePaths: Readonly<Record<string, string>> = { recommendation: 'recommendations', chatbot: 'chat' };

/** Variables of other gateways that mean nothing here, and why. */
const unused: Readonly<Record<string, string>> = {
  API_GATEWAY_BURST_SIZE: 'is not used: a burst belongs to `algorithm: token_bucket`',
  API_GATEWAY_CACHE_MAX_SIZE: 'is not used: the store bounds itself',
};

/** Collects variables, and what is wrong with them. */
class Reader {
  readonly issues: ConfigIssue[] = [];
  readonly #env: Variables;

  constructor(env: Variables) {
    this.#env = env;
  }

  /** The first of these variables that is set. An empty one counts as not set. */
  text(...names: readonly string[]): string | undefined {
    return names.map((name) => this.#env[name]?.trim()).find((value) => value !== undefined && value !== '');
  }

  /** The first of these variables, as a number. */
  number(whole: boolean, ...names: readonly string[]): number | undefined {
    const name = names.find((each) => this.text(each) !== undefined);
    if (name === undefined) return undefined;
    const given = this.text(name) as string;
    const value = Number(given);
    if (whole ? Number.isSafeInteger(value) && value >= 1 : Number.isFinite(value) && value >= 0) return value;
    const wants = whole ? 'a whole number of at least 1' : 'a number of seconds';
    this.issues.push({ path: name, line: 0, column: 0, message: `the variable \`${name}\` must be ${wants} (got '${given}')` });
    return undefined;
  }

  /** Whether a switch is on. */
  flag(name: string): boolean {
    const given = this.text(name)?.toLowerCase();
    if (given === undefined || ['true', '1', 'yes', 'on'].includes(given)) return true;
    if (['false', '0', 'no', 'off'].includes(given)) return false;
    this.issues.push({ path: name, line: 0, column: 0, message: `the variable \`${name}\` must be true or false (got '${given}')` });
    return true;
  }
}

/** Reads the variables of this gateway and of those before it. */
export function readEnvironment(env: Variables): EnvOverlay {
  const read = new Reader(env);
  const features = featuresOf(read);
  const { upstreams, paths } = servicesOf(env, read, features);
  const redis = read.text('REDIS_URL');
  const level = levelOf(read.text('LOG_LEVEL'));
  const masterKey = read.text('MASTER_KEY');
  const fills = {
    ...(redis !== undefined && { store: { redis: { url: redis } } }),
    ...(level !== undefined && { log: { level } }),
    ...(masterKey !== undefined && { admin: { master_key: masterKey } }),
    ...(Object.keys(features).length > 0 && { default_features: features }),
    ...(paths.length > 0 && { upstreams, paths }),
  };
  const keyspace = read.text('PREMIER_KEYSPACE');
  const ownRedis = read.text('PREMIER_REDIS_URL');
  const ownLevel = levelOf(read.text('PREMIER_LOG_LEVEL'));
  const wins = {
    ...(keyspace !== undefined && { keyspace }),
    ...(ownRedis !== undefined && { store: { redis: { url: ownRedis } } }),
    ...(ownLevel !== undefined && { log: { level: ownLevel } }),
  };
  const warnings = Object.entries(unused)
    .filter(([name]) => read.text(name) !== undefined)
    .map(([name, why]) => ({ path: name, line: 0, column: 0, message: `the variable \`${name}\` ${why}` }));
  return { file: read.text('PREMIER_CONFIG_FILE'), wins, fills, issues: read.issues, warnings };
}

/** A configuration with what the environment says put over and under it. */
export function overlay(value: unknown, { wins, fills }: EnvOverlay): unknown {
  return merge(merge(fills, value ?? {}), wins);
}

/** Mappings are merged key by key; lists are joined, the winner's first, for the first path that matches counts. */
function merge(under: unknown, over: unknown): unknown {
  if (Array.isArray(under) && Array.isArray(over)) return [...(over as unknown[]), ...(under as unknown[])];
  if (!isMapping(under) || !isMapping(over)) return over ?? under;
  const merged: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) merged[key] = isFeature(key) ? value : merge(under[key], value);
  return merged;
}

/** A feature is taken whole: half of one rate limit and half of another is neither. */
function isFeature(key: string): boolean {
  return key === 'rate_limit' || key === 'cache' || key === 'circuit_breaker';
}

function featuresOf(read: Reader): Record<string, unknown> {
  const minute = read.number(true, 'API_GATEWAY_RATE_LIMIT_PER_MINUTE', 'RATE_LIMIT_PER_MINUTE');
  const hour = read.number(true, 'API_GATEWAY_RATE_LIMIT_PER_HOUR', 'RATE_LIMIT_PER_HOUR');
  const expiry = read.number(false, 'API_GATEWAY_CACHE_TTL');
  const failures = read.number(true, 'API_GATEWAY_CB_FAILURE_THRESHOLD', 'CIRCUIT_BREAKER_FAILURE_THRESHOLD');
  const recovery = read.number(false, 'API_GATEWAY_CB_RECOVERY_TIMEOUT', 'CIRCUIT_BREAKER_TIMEOUT');
  const successes = read.number(true, 'API_GATEWAY_CB_SUCCESS_THRESHOLD', 'CIRCUIT_BREAKER_SUCCESS_THRESHOLD');
  if (!read.flag('API_GATEWAY_ENABLED')) return {};
  const limits = [
    ...(minute === undefined ? [] : [{ quota: minute, duration: 60 }]),
    ...(hour === undefined ? [] : [{ quota: hour, duration: 3600 }]),
  ];
  const breaker = {
    ...(failures !== undefined && { failure_threshold: failures }),
    ...(recovery !== undefined && { recovery_timeout: recovery }),
    ...(successes !== undefined && { success_threshold: successes }),
  };
  return {
    ...(limits.length > 0 && { rate_limit: { limits } }),
    ...(expiry !== undefined && { cache: { expire_s: expiry } }),
    ...(Object.keys(breaker).length > 0 && { circuit_breaker: breaker }),
  };
}

function servicesOf(
  env: Variables,
  read: Reader,
  features: Record<string, unknown>,
): { readonly upstreams: Record<string, unknown>; readonly paths: readonly unknown[] } {
  const upstreams: Record<string, unknown> = {};
  const paths: unknown[] = [];
  for (const variable of Object.keys(env).toSorted()) {
    const name = /^([A-Z][A-Z0-9_]*)_SERVICE_URL$/.exec(variable)?.[1]?.toLowerCase().replaceAll('_', '-');
    const url = read.text(variable);
    if (name === undefined || url === undefined) continue;
    const upstream = `${name}-service`;
    upstreams[upstream] = { servers: [url] };
    paths.push({ pattern: `/api/v1/${servicePaths[name] ?? name}/*`, upstream, features });
  }
  return { upstreams, paths };
}

const levels: Readonly<Record<string, string>> = { warning: 'warn', critical: 'error', fatal: 'error', off: 'silent' };

function levelOf(given: string | undefined): string | undefined {
  const level = given?.toLowerCase();
  return level === undefined ? undefined : (levels[level] ?? level);
}
