import { StreamableFile } from '@nestjs/common';
import { OptionsError } from '../../core/errors.js';
import { meaningOf, says } from '../../gateway/features/cacheNames.js';
import type { CachePlan } from './cachePlan.js';
import type { Handler } from './handlerName.js';
import type { Visit } from './visit.js';
import type { WebRequest, WebResponse } from './webRequest.js';

/** Where Nest keeps what `@Sse()` and the decorators of parameters say. */
const sseKey = '__sse__';
const routeArgumentsKey = '__routeArguments__';

/** Whether a handler's answer is what it returns: not with `@Sse()`, nor where it has the response in its hands (`@Res()`, `@Next()`). */
export function returnsItsAnswer(asked: Handler): boolean {
  const handler = asked.getHandler();
  if (Reflect.getMetadata(sseKey, handler) !== undefined) return false;
  const args = Reflect.getMetadata(routeArgumentsKey, asked.getClass(), handler.name) as object | undefined;
  // The kind of a parameter stands before the colon: 1 is the response, 2 is `next`.
  return !Object.keys(args ?? {}).some((kind) => /^[12]:/.test(kind));
}

/** What Nest calls the parameters that tell more of a request than its address does: the request itself, its fields, session, address. */
const reading: ReadonlyMap<string, string> = new Map([
  ['0', '@Req()'],
  ['6', '@Headers()'],
  ['7', '@Session()'],
  ['11', '@Ip()'],
]);

/**
 * Throws `OptionsError` where a handler, or one of a class, reads more of the request than its address: without a key, others would get the
 * answer that was made of it. What decorators of parameters say is known by then: they run first.
 */
export function refuseReaders(target: object, key: string | symbol | undefined): void {
  const owner = typeof target === 'function' ? target : target.constructor;
  const names = key === undefined ? Object.getOwnPropertyNames(owner.prototype as object) : [key];
  for (const name of names) {
    const args = Reflect.getMetadata(routeArgumentsKey, owner, name) as object | undefined;
    for (const kind of Object.keys(args ?? {})) {
      const what = /__customRouteArgs__/.test(kind) ? 'a parameter decorator of your own' : reading.get(kind.split(':', 1)[0] as string);
      if (what === undefined) continue;
      throw new OptionsError(
        `CacheResponse: ${owner.name}.${String(name)} reads ${what}, so that its answer may depend on who asks; ` +
          `say what it depends on: key: ['path', 'header:x-tenant'], or a function as "key" or "scope"`,
      );
    }
  }
}

/** Whether the answer to a request may be kept, and given to others. */
export function mayShare({ methods, knowsWhom, ownKey }: CachePlan, { request, context }: Visit): boolean {
  if (context.getType<string>() !== 'http') return ownKey;
  if (request === undefined || !methods.has(request.method ?? 'GET')) return false;
  return (
    hasNothingOf(request, knowsWhom ? says.otherwise : says.otherwise | says.secret) &&
    (knowsWhom || (request.user ?? undefined) === undefined)
  );
}

function hasNothingOf({ headers }: WebRequest, bad: number): boolean {
  for (const name of Object.keys(headers)) {
    const meaning = name === 'authorization' || name === 'proxy-authorization' || name === 'cookie' ? says.secret : meaningOf(name);
    if ((meaning & bad) !== 0) return false;
  }
  return true;
}

/** What a handler can change of a response beside what it returns, and what is not kept. */
export interface Manner {
  readonly status: number | undefined;
  readonly cookies: string;
}

/** How a response stands now. */
export function mannerOf(response: WebResponse | undefined): Manner {
  return { status: response?.statusCode, cookies: String(response?.getHeader?.('set-cookie') ?? '') };
}

/** Whether the whole answer is in the value: nothing that is read only once, no cookie, no status of its own. */
export function isWhole(value: unknown, before: Manner, response: WebResponse | undefined): boolean {
  const { status, cookies } = mannerOf(response);
  return !isStream(value) && status === before.status && cookies === before.cookies;
}

function isStream(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof StreamableFile || Symbol.asyncIterator in value) return true;
  return ['pipe', 'getReader', 'subscribe', 'arrayBuffer'].some((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}
