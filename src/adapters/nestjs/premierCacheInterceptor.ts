import { type CallHandler, type ExecutionContext, Inject, Injectable, Logger, type NestInterceptor } from '@nestjs/common';
import { HttpAdapterHost, Reflector } from '@nestjs/core';
import { lastValueFrom, type Observable, of } from 'rxjs';
import { Premier } from '../../premier.js';
import { isWhole, mannerOf, mayShare, returnsItsAnswer } from './cacheable.js';
import { copyOf } from './copyOf.js';
import type { CachePlan } from './cachePlan.js';
import { ByHandler, type Handler, HandlerNames } from './handlerName.js';
import { setHeaders } from './setHeaders.js';
import { Visit } from './visit.js';

/** Where `@CacheResponse` leaves its plan. */
export const cacheResponseKey = 'premier:cacheResponse';

/** What comes of a run whose value others cannot have. It is never kept. */
const unkept: unique symbol = Symbol('unkept');

/** A run of a handler that may be answered from the cache. */
class CachedVisit extends Visit {
  readonly #next: CallHandler;
  /** What its own handler returned, if it ran. */
  ran: { readonly value: unknown } | undefined;

  constructor(context: ExecutionContext, next: CallHandler) {
    super(context);
    this.#next = next;
  }

  /** Runs the handler. */
  async run(): Promise<unknown> {
    const value: unknown = await lastValueFrom(this.#next.handle(), { defaultValue: undefined });
    this.ran = { value };
    return value;
  }

  /** Runs the handler for all who wait. */
  async load(): Promise<unknown> {
    const before = mannerOf(this.response);
    const value = await this.run();
    // The one who ran it may still change what it returned.
    return isWhole(value, before, this.response) ? copyOf(value) : unkept;
  }
}

/** A cache at work. */
interface Cache {
  readonly plan: CachePlan;
  readonly ask: (visit: CachedVisit) => Promise<unknown>;
}

/** Answers from what a handler returned before. `@CacheResponse` brings it along. */
export class PremierCacheInterceptor implements NestInterceptor {
  readonly #premier: Premier;
  readonly #reflector: Reflector;
  readonly #adapters: HttpAdapterHost;
  readonly #caches = new ByHandler((handler) => this.#find(handler));
  readonly #names: HandlerNames;

  constructor(premier: Premier, reflector: Reflector, adapters: HttpAdapterHost) {
    this.#premier = premier;
    this.#reflector = reflector;
    this.#adapters = adapters;
    this.#names = namesOf(premier);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> | Promise<Observable<unknown>> {
    const cache = this.#caches.of(context);
    if (cache === undefined) return next.handle();
    const visit = new CachedVisit(context, next);
    return mayShare(cache.plan, visit) ? this.#answer(cache, visit) : next.handle();
  }

  async #answer({ ask }: Cache, visit: CachedVisit): Promise<Observable<unknown>> {
    let value = await ask(visit);
    // A stream, or a cookie, is for one alone: who waited for it runs the handler for itself.
    if (visit.ran !== undefined) value = visit.ran.value;
    else value = value === unkept ? await visit.run() : copyOf(value);
    if (visit.context.getType() === 'http')
      setHeaders(this.#adapters, visit.response, ['X-Cache', visit.ran === undefined ? 'HIT' : 'MISS']);
    return of(value);
  }

  #find(handler: Handler): Cache | undefined {
    const plan = this.#reflector.getAllAndOverride<CachePlan | undefined>(cacheResponseKey, [handler.getHandler(), handler.getClass()]);
    if (plan === undefined || !returnsItsAnswer(handler)) return undefined;
    const { expireS, tags, tagged, keyOf } = plan;
    const name = `${kept}${plan.name ?? this.#names.of(handler, 'handler')}`;
    const cached = this.#premier.cacheResult<[CachedVisit], unknown>({
      expireS,
      name,
      cacheKey: keyOf,
      shouldCache: (value) => value !== unkept,
      ...(tagged && { tags }),
    });
    return { plan, ask: cached((visit: CachedVisit): Promise<unknown> => visit.load()) };
  }
}

/** Nest makes an interceptor for each module that uses it; the names of handlers are one set for each Premier. */
const namesByPremier = new WeakMap<Premier, HandlerNames>();

function namesOf(premier: Premier): HandlerNames {
  let names = namesByPremier.get(premier);
  if (names === undefined) {
    namesByPremier.set(premier, (names = new HandlerNames('CacheResponse')));
    tellFailures(premier);
  }
  return names;
}

/** Answers that cannot be kept, objects of classes in Redis say, are told once for each handler: nobody else would notice. */
function tellFailures(premier: Premier): void {
  const told = new Set<string>();
  premier.on('cacheFailed', ({ name, error }) => {
    if (!name.startsWith(kept) || told.has(name)) return;
    told.add(name);
    new Logger('Premier').warn(`${name} keeps nothing: ${error instanceof Error ? error.message : String(error)}`);
  });
}

const kept = 'CacheResponse ';

Injectable()(PremierCacheInterceptor);
Inject(Premier)(PremierCacheInterceptor, undefined, 0);
Inject(Reflector)(PremierCacheInterceptor, undefined, 1);
Inject(HttpAdapterHost)(PremierCacheInterceptor, undefined, 2);
