import type { ExecutionContext } from '@nestjs/common';
import type { Duration } from '../../core/duration.js';
import { duration, either, fn, list, required, schema, text, withDefault } from '../../core/options.js';
import { compileTemplate } from '../../gateway/template.js';
import type { Visit } from './visit.js';
import { addressOf } from './webRequest.js';

/** Options of `@CacheResponse`. */
export interface CacheResponseOptions {
  /** How long what the handler returned is kept. */
  expireS: Duration;
  /**
   * What the answer depends on: `query:page`, a template with `{…}`, a list of them, or a function. With it, requests with credentials are
   * cached too, so it must tell apart who may not see the same.
   * @default scheme, host and address, path and query as they came
   */
  key?: string | readonly string[] | ((context: ExecutionContext) => string);
  /** Whose answer it is, a user's or a tenant's, beside the key. With it, requests with credentials are cached too. */
  scope?: (context: ExecutionContext) => string;
  /**
   * The methods whose answers are kept. Others than GET need a `key`, since their answers depend on a body.
   * @default ['GET']
   */
  methods?: readonly string[];
  /** What the answer can be dropped by: `premier.invalidateTags`. */
  tags?: readonly string[] | ((result: unknown, context: ExecutionContext) => readonly string[]);
  /**
   * The name that answers are kept under.
   * @default the class, its path and the handler
   */
  name?: string;
}

const texts = list(text());

const cacheResponseOptions = schema<CacheResponseOptions>('CacheResponse')(
  {
    expireS: required(duration({ zero: false })),
    key: either(either(text(), texts), fn<(context: ExecutionContext) => string>()),
    scope: fn<(context: ExecutionContext) => string>(),
    methods: withDefault(texts, ['GET']),
    tags: either(texts, fn<(result: unknown, context: ExecutionContext) => readonly string[]>()),
    name: text(),
  },
  ({ key, methods }) =>
    key === undefined && methods.some((method) => !['GET', 'HEAD'].includes(method.toUpperCase()))
      ? 'option "methods" with more than GET needs "key", which says what of the body the answer depends on'
      : undefined,
);

/** How answers of a handler are kept: options that were read and whose keys are understood. */
export interface CachePlan {
  readonly expireS: Duration;
  readonly name: string | undefined;
  readonly methods: ReadonlySet<string>;
  readonly tags: (result: unknown, visit: Visit) => readonly string[];
  readonly tagged: boolean;
  /** Whether it is said what the answer depends on, credentials included. */
  readonly knowsWhom: boolean;
  /** Whether the key is a function: then it works without an HTTP request too. */
  readonly ownKey: boolean;
  readonly keyOf: (visit: Visit) => readonly string[];
}

/** Reads the options at once, so that mistakes are told when the application starts. Throws `OptionsError`. */
export function cachePlanOf(options: CacheResponseOptions): CachePlan {
  const { key, scope, methods, tags, name } = cacheResponseOptions.parse(options);
  const whose = scope === undefined ? undefined : ({ context }: Visit): string => checked('scope', scope(context));
  const what = whatOf(key);
  return {
    expireS: options.expireS,
    name,
    // HEAD is answered by the handlers of GET.
    methods: new Set(methods.map((method) => method.toUpperCase()).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))),
    tags: (result, { context }) => (typeof tags === 'function' ? tags(result, context) : (tags ?? [])),
    tagged: tags !== undefined,
    knowsWhom: key !== undefined || scope !== undefined,
    ownKey: typeof key === 'function',
    keyOf: (visit) => (whose === undefined ? what(visit) : [whose(visit), ...what(visit)]),
  };
}

function whatOf(key: CacheResponseOptions['key']): (visit: Visit) => readonly string[] {
  if (key === undefined) {
    // Answers hold links to themselves. Nest routes by the address as it came, so that is what tells answers apart.
    return ({ exchange: { scheme, host }, request }) => [scheme, host, addressOf(request ?? {})];
  }
  if (typeof key === 'function') return ({ context }) => [checked('key', key(context))];
  // A pattern without `*`: what stands for a part of a path is not known here, and a function can ask Nest for it.
  const templates = [key].flat().map((one) => compileTemplate(one.includes('{') ? one : `{${one.replace(':', '.')}}`, '/'));
  return ({ exchange }) => templates.map((template) => template(exchange));
}

/** A key that names nobody would be one key for all. */
function checked(option: string, made: unknown): string {
  if (typeof made === 'string') return made;
  throw new TypeError(`CacheResponse: the ${option} function must return a text (got ${typeof made})`);
}
