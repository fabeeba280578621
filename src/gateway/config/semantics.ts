import { OptionsError } from '../../core/errors.js';
import { matcher } from '../../http/client.js';
import { adminListenerOf } from '../own/adminListener.js';
import { Router } from '../router.js';
import { compileKey, compileTemplate } from '../template.js';
import { type ConfigPath, isMapping, nearest } from './configPath.js';
import { notYet } from './notYet.js';
import { isUnsafeRegex } from './regexSafety.js';

/** What is wrong beyond the shape: a name that is not there, two things that do not go together. */
export interface Objection {
  readonly path: ConfigPath;
  readonly message: string;
  readonly what?: 'key' | 'value';
}

/**
 * Looks at what a schema cannot see. It reads the configuration as it was given, so that it can speak also where the schema
 * has found mistakes; whatever has the wrong shape is left to the schema.
 */
export function objections(root: unknown): readonly Objection[] {
  if (!isMapping(root)) return [];
  const found: Objection[] = [];
  const upstreams = isMapping(root['upstreams']) ? root['upstreams'] : {};
  if (root['servers'] !== undefined && Object.hasOwn(upstreams, 'default'))
    found.push({
      path: ['upstreams', 'default'],
      what: 'key',
      message: 'stands beside `servers`, which is the pool `default` too; keep one of them',
    });
  found.push(...badAddresses(['trusted_proxies'], root['trusted_proxies']));
  const admin = isMapping(root['admin']) ? root['admin'] : {};
  found.push(...eachRefused(['admin', 'listener'], admin['listener'], adminListenerOf));
  for (const [name, pool] of Object.entries(upstreams)) {
    const balance = isMapping(pool) && isMapping(pool['balance']) ? pool['balance'] : {};
    found.push(...eachRefused(['upstreams', name, 'balance', 'key'], balance['key'], (given) => compileKey(given)));
  }

  const known = [...Object.keys(upstreams), ...(root['servers'] === undefined || Object.hasOwn(upstreams, 'default') ? [] : ['default'])];
  const checkUpstream = (path: ConfigPath, name: unknown): void => {
    if (typeof name === 'string' && name !== '' && !known.includes(name)) found.push({ path, message: unknownUpstream(name, known) });
  };
  const checkFeatures = (path: ConfigPath, features: unknown, pattern?: string): void => {
    if (!isMapping(features)) return;
    found.push(...inFeatures(path, features), ...inTemplates(path, features, pattern));
    if (isMapping(features['mirror'])) checkUpstream([...path, 'mirror', 'upstream'], features['mirror']['upstream']);
  };
  checkFeatures(['default_features'], root['default_features'], '*');
  const paths: readonly unknown[] = Array.isArray(root['paths']) ? root['paths'] : [];
  paths.forEach((path, i) => {
    if (!isMapping(path)) return;
    const { pattern } = path;
    if (typeof pattern === 'string' && pattern.startsWith('^') && isUnsafeRegex(pattern))
      found.push({ path: ['paths', i, 'pattern'], message: unsafe });
    if (typeof path['host'] === 'string' && /[/@\s]/.test(path['host']))
      found.push({ path: ['paths', i, 'host'], message: 'must be a name such as api.example.com, without a scheme and a path' });
    else if (typeof path['host'] === 'string')
      found.push(...refused(['paths', i, 'host'], path['host'], (host) => new Router([{ pattern: '/', host }])));
    checkUpstream(['paths', i, 'upstream'], path['upstream']);
    checkFeatures(['paths', i, 'features'], path['features'], typeof pattern === 'string' ? pattern : undefined);
  });
  return found;
}

const unsafe =
  'repeats something that repeats itself, which can take for ever on a long path; write it without a quantifier in a quantifier, and ' +
  'without more than two such as .* in a row ([^/]* ends at a slash)';

function unknownUpstream(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `is no upstream: there is no \`${name}\`; did you mean \`${near}\`?`;
  if (known.length === 0) return `is no upstream: there is no \`${name}\`, for there are none; name it under \`upstreams\``;
  return `is no upstream: there is no \`${name}\`; known are ${known.map((each) => `\`${each}\``).join(', ')}`;
}

function* inFeatures(path: ConfigPath, features: Record<string, unknown>): Generator<Objection> {
  for (const keys of notYet) {
    let value: unknown = features;
    for (const key of keys) value = isMapping(value) ? value[key] : undefined;
    if (value !== undefined) yield { path: [...path, ...keys], what: 'key', message: 'comes in a later version' };
  }
  const { access, transform } = features;
  if (isMapping(access)) for (const key of ['ip_allow', 'ip_deny']) yield* badAddresses([...path, 'access', key], access[key]);
  const request = isMapping(transform) ? transform['request'] : undefined;
  const rewrite = isMapping(request) ? request['rewrite'] : undefined;
  const from = isMapping(rewrite) ? rewrite['from'] : undefined;
  if (typeof from === 'string' && isUnsafeRegex(from))
    yield { path: [...path, 'transform', 'request', 'rewrite', 'from'], message: unsafe };
}

/** What tells callers or entries apart must be something that a request has. */
function* inTemplates(path: ConfigPath, features: Record<string, unknown>, pattern: string | undefined): Generator<Objection> {
  const { rate_limit: limit, cache } = features;
  const key = (given: string): unknown => compileKey(given, pattern);
  if (isMapping(limit)) {
    yield* eachRefused([...path, 'rate_limit', 'key'], limit['key'], key);
    const limits: readonly unknown[] = Array.isArray(limit['limits']) ? limit['limits'] : [];
    for (const [i, each] of limits.entries())
      if (isMapping(each)) yield* eachRefused([...path, 'rate_limit', 'limits', i, 'key'], each['key'], key);
  }
  if (isMapping(cache)) yield* eachRefused([...path, 'cache', 'cache_key'], cache['cache_key'], (given) => compileTemplate(given, pattern));
}

function eachRefused(path: ConfigPath, given: unknown, compile: (given: string) => unknown): readonly Objection[] {
  if (Array.isArray(given)) return given.flatMap((each: unknown, i) => eachRefused([...path, i], each, compile));
  return typeof given === 'string' && given !== '' ? refused(path, given, compile) : [];
}

/** What the part that will use a value says against it. */
function refused(path: ConfigPath, given: string, compile: (given: string) => unknown): readonly Objection[] {
  try {
    compile(given);
    return [];
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    return [{ path, message: `is wrong: ${error.message}` }];
  }
}

/** The schema sees whether it looks like an address; this sees whether it is one. */
function badAddresses(path: ConfigPath, list: unknown): readonly Objection[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((given: unknown, i) => {
    if (typeof given !== 'string' || !/^[0-9a-fA-F.:]+(\/\d{1,3})?$/.test(given) || isBlock(given)) return [];
    return [{ path: [...path, i], message: `must be an address or a block such as 10.0.0.0/8 (got '${given}')` }];
  });
}

function isBlock(given: string): boolean {
  return refused([], given, (block) => matcher([block])).length === 0;
}
