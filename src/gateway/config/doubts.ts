import { METHODS } from 'node:http';
import type { Features } from './featureSchemas.js';
import type { ConfigPath } from './configPath.js';
import type { ResolvedConfig } from './schema.js';

/** Something that is right, but hardly what was meant. */
export interface Doubt {
  readonly path: ConfigPath;
  /** What to say after the name of the thing. */
  readonly message: string;
}

/** Looks for what a configuration may say by mistake: what other gateways read otherwise, and options that cannot do anything. */
export function doubtsOf({ paths, default_features: rest, admin }: ResolvedConfig): readonly Doubt[] {
  return [
    ...(admin.master_key === undefined
      ? []
      : [{ path: ['admin', 'master_key'], message: 'does nothing yet: API keys come in a later version' }]),
    ...paths.flatMap(({ pattern, methods, features }, i) => [
      ...ofPattern(['paths', i, 'pattern'], pattern),
      ...ofMethods(['paths', i, 'methods'], methods),
      ...ofFeatures(['paths', i, 'features'], features),
    ]),
    ...(rest ? ofFeatures(['default_features'], rest) : []),
  ];
}

function* ofPattern(path: ConfigPath, pattern: string): Generator<Doubt> {
  if (pattern.startsWith('^')) return;
  const [parameter] = /\{[^/{}]*\}|(?<=\/):\w+/.exec(pattern) ?? [];
  if (parameter !== undefined) yield { path, message: `has \`${parameter}\` in it, which is literal; \`*\` stands for anything` };
  else if (pattern.includes('?')) yield { path, message: 'has `?` in it, which is literal and in no path; a query is not matched' };
}

/** Node refuses a request with a method that it does not know. */
function* ofMethods(path: ConfigPath, methods: readonly string[] = []): Generator<Doubt> {
  for (const [i, method] of methods.entries())
    if (!METHODS.includes(method)) yield { path: [...path, i], message: `is \`${method}\`, which no request has` };
}

function* ofFeatures(
  path: ConfigPath,
  { timeout, cors, access, retry, cache, websocket, circuit_breaker: breaker, rate_limit: limit }: Features,
): Generator<Doubt> {
  if (timeout?.per_try !== undefined && timeout.per_try >= timeout.seconds)
    yield { path: [...path, 'timeout', 'per_try'], message: 'does nothing: `seconds` is over before' };
  if (cors?.credentials === true && cors.origins.includes('*'))
    yield { path: [...path, 'cors', 'credentials'], message: 'does nothing for the origin `*`; name the origins that may send cookies' };
  if (breaker?.window !== undefined && breaker.failure_threshold !== undefined)
    yield { path: [...path, 'circuit_breaker', 'failure_threshold'], message: 'does nothing beside `window`; keep one of them' };
  for (const [name, feature] of Object.entries({ cors, access, retry, cache }))
    yield* ofMethods([...path, name, 'methods'], feature?.methods);
  if (limit) yield* ofLimit([...path, 'rate_limit'], limit);
  if (cors) yield* ofOrigins([...path, 'cors', 'origins'], cors.origins);
  if (websocket) yield* ofOrigins([...path, 'websocket', 'origins'], websocket.origins);
}

/** Nobody has a name yet. */
function* ofLimit(path: ConfigPath, { tiers, key }: NonNullable<Features['rate_limit']>): Generator<Doubt> {
  const message = 'does nothing yet: who asks is known with `auth`, which comes in a later version';
  if (tiers !== undefined) yield { path: [...path, 'tiers'], message };
  if ([key].flat().some((each) => /^(consumer$|claim[:.])|\{(consumer|claim\.[^}]*)\}/.test(each)))
    yield { path: [...path, 'key'], message };
}

/** What a browser never sends as `Origin` lets no page in. */
function* ofOrigins(path: ConfigPath, origins: readonly string[]): Generator<Doubt> {
  for (const [i, origin] of origins.entries())
    if (origin !== '*' && origin !== 'null' && !/^[a-z][a-z0-9+.-]*:\/\/[^/]+\/*$/i.test(origin))
      yield { path: [...path, i], message: 'is no origin and lets nobody in; write a scheme and a host, as in https://app.test' };
}
