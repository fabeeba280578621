import { isMapping } from './configPath.js';
import type { Translation } from './translation.js';

const client = 'header:x-client-id';

/** Translates `router.routes` (path, method, target, weight), `rate_limiter`, `cache` and `circuit_breaker`. */
export function importRouter(root: Record<string, unknown>): Translation {
  const notes: string[] = [];
  const features = featuresOf(root, notes);
  const extra = Object.keys(features).length > 0 ? { features } : {};
  const upstreams: Record<string, { servers: unknown[] }> = {};
  const paths = new Map<string, { pattern: string; methods?: string[]; enabled?: false; upstream: string; features?: unknown }>();
  for (const route of listOf(root['router'], 'routes')) {
    const { path, method, target, weight, enabled } = route;
    if (typeof path !== 'string' || typeof target !== 'string') {
      notes.push('a route without `path` or `target` was left out');
      continue;
    }
    const methods = typeof method === 'string' && method !== '*' ? [method.toUpperCase()] : undefined;
    const id = `${methods?.[0] ?? '*'} ${path}`;
    const known = paths.get(id);
    const server = { url: target, ...(typeof weight === 'number' && { weight }) };
    if (known) {
      // The pool of another route with the same server must not get a second one.
      const servers = [...(upstreams[known.upstream]?.servers ?? []), server];
      known.upstream = poolFor(upstreams, servers, target);
      notes.push(`several routes of \`${id}\` became one path with several servers, which share requests by weight`);
    } else {
      const upstream = poolFor(upstreams, [server], target);
      paths.set(id, { pattern: path, ...(methods && { methods }), ...(enabled === false && { enabled }), upstream, ...extra });
    }
  }
  const used = new Set([...paths.values()].map(({ upstream }) => upstream));
  for (const name of Object.keys(upstreams)) if (!used.has(name)) delete upstreams[name];
  return {
    config: { upstreams, paths: [...paths.values()] },
    comments: {
      upstreams: 'From the targets of `router.routes`.',
      paths: 'From `router.routes`; the features from `rate_limiter`, `cache` and `circuit_breaker`.',
    },
    notes: [...new Set(notes)],
  };
}

/** The name of a pool with just these servers. */
function poolFor(upstreams: Record<string, { servers: unknown[] }>, servers: unknown[], target: string): string {
  const base = URL.canParse(target) ? new URL(target).hostname : 'upstream';
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}-${i}`;
    const there = upstreams[name];
    if (there && JSON.stringify(there.servers) !== JSON.stringify(servers)) continue;
    upstreams[name] = { servers };
    return name;
  }
}

function featuresOf(root: Record<string, unknown>, notes: string[]): Record<string, unknown> {
  const features: Record<string, unknown> = {};
  const limiter = mapping(root['rate_limiter']);
  const limits = limitsOf(mapping(limiter['default']));
  if (limits.length > 0) features['rate_limit'] = { key: client, limits, ...tiersOf(mapping(limiter['clients']), notes) };
  else if (limiter['clients'] !== undefined) notes.push('`rate_limiter.clients` was left out, for there is no `rate_limiter.default`');
  if (mapping(limiter['default'])['burst_size'] !== undefined)
    notes.push('`burst_size` had no effect and was left out; a burst belongs to `algorithm: token_bucket`');

  const cache = mapping(root['cache']);
  if (typeof cache['ttl'] === 'number') features['cache'] = { expire_s: cache['ttl'] };
  if (cache['max_size'] !== undefined) notes.push('`cache.max_size` was left out: the store bounds itself');
  if (cache['strategy'] !== undefined && cache['strategy'] !== 'default')
    notes.push('`cache.strategy` was left out: the least recently used entries go first');

  const breakers = mapping(root['circuit_breaker']);
  const breaker = pick(mapping(breakers['default'] ?? breakers), ['failure_threshold', 'recovery_timeout', 'success_threshold']);
  if (Object.keys(breaker).length > 0) features['circuit_breaker'] = breaker;
  return features;
}

function limitsOf(given: Record<string, unknown>): { quota: number; duration: number }[] {
  const { requests_per_minute: minute, requests_per_hour: hour } = given;
  return [
    ...(typeof minute === 'number' ? [{ quota: minute, duration: 60 }] : []),
    ...(typeof hour === 'number' ? [{ quota: hour, duration: 3600 }] : []),
  ];
}

function tiersOf(clients: Record<string, unknown>, notes: string[]): { readonly tiers?: Record<string, unknown> } {
  const tiers: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(clients)) {
    const [first, second] = limitsOf(mapping(given));
    if (!first) continue;
    tiers[name] = first;
    if (second)
      notes.push(
        `the tier \`${name}\` has one limit: ${first.quota} in ${first.duration} s was kept, ${second.quota} in ${second.duration} s was left out`,
      );
  }
  if (Object.keys(tiers).length === 0) return {};
  notes.push(
    '`rate_limiter.clients` became `tiers`: they go by the tier of the API key or the claim `tier`, no longer by the id of the client',
  );
  return { tiers };
}

/** The mappings in a list of a mapping. */
function listOf(parent: unknown, key: string): readonly Record<string, unknown>[] {
  const list = mapping(parent)[key];
  return Array.isArray(list) ? list.filter(isMapping) : [];
}

function mapping(value: unknown): Record<string, unknown> {
  return isMapping(value) ? value : {};
}

function pick(from: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]));
}
