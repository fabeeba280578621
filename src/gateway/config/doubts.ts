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
export function doubtsOf({ paths, default_features: rest }: ResolvedConfig): readonly Doubt[] {
  return [
    ...paths.flatMap(({ pattern, features }, i) => [
      ...ofPattern(['paths', i, 'pattern'], pattern),
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

function* ofFeatures(path: ConfigPath, { timeout, cors, websocket, circuit_breaker: breaker }: Features): Generator<Doubt> {
  if (timeout?.per_try !== undefined && timeout.per_try >= timeout.seconds)
    yield { path: [...path, 'timeout', 'per_try'], message: 'does nothing: `seconds` is over before' };
  if (cors?.credentials === true && cors.origins.includes('*'))
    yield { path: [...path, 'cors', 'credentials'], message: 'does nothing for the origin `*`; name the origins that may send cookies' };
  if (breaker?.window !== undefined && breaker.failure_threshold !== undefined)
    yield { path: [...path, 'circuit_breaker', 'failure_threshold'], message: 'does nothing beside `window`; keep one of them' };
  if (cors) yield* ofOrigins([...path, 'cors', 'origins'], cors.origins);
  if (websocket) yield* ofOrigins([...path, 'websocket', 'origins'], websocket.origins);
}

/** What a browser never sends as `Origin` lets no page in. */
function* ofOrigins(path: ConfigPath, origins: readonly string[]): Generator<Doubt> {
  for (const [i, origin] of origins.entries())
    if (origin !== '*' && origin !== 'null' && !/^[a-z][a-z0-9+.-]*:\/\/[^/]+\/*$/i.test(origin))
      yield { path: [...path, i], message: 'is no origin and lets nobody in; write a scheme and a host, as in https://app.test' };
}
