import { type ExecutionContext, Inject, Injectable, Logger } from '@nestjs/common';
import { HttpAdapterHost, Reflector } from '@nestjs/core';
import type { Exchange } from '../../http/exchange.js';
import { Premier } from '../../premier.js';
import { ByHandler, type Handler, HandlerNames } from './handlerName.js';
import { settingsToken, type PremierModuleOptions } from './moduleOptions.js';
import { rateLimitKey } from './rateLimit.js';
import { type LimitPlan, planOf, requestLimit } from './requestLimit.js';
import { setHeaders } from './setHeaders.js';
import { Visit } from './visit.js';

/** A limit at work. */
interface Limit {
  readonly ownKeys: boolean;
  /** Spends; rejects with `QuotaExceedsError`. */
  readonly spend: (visit: Visit) => Promise<unknown>;
}

/** The limits of an application: which one a handler has, and what is left of it. One for all guards. */
export class RequestLimits {
  readonly #premier: Premier;
  readonly #reflector: Reflector;
  readonly #adapters: HttpAdapterHost;
  readonly #default: LimitPlan | undefined;
  readonly #names = new HandlerNames('RateLimit');
  readonly #limits = new ByHandler((handler) => this.#find(handler));
  /** A guard can stand in two places, and a call is counted once. All guards of a call get one context; each field of GraphQL has its own. */
  readonly #counted = new WeakSet<ExecutionContext>();
  readonly #warned = new WeakSet<Limit>();

  constructor(premier: Premier, settings: PremierModuleOptions, reflector: Reflector, adapters: HttpAdapterHost) {
    this.#premier = premier;
    this.#reflector = reflector;
    this.#adapters = adapters;
    this.#default = settings.rateLimit === undefined ? undefined : planOf(settings.rateLimit);
  }

  /** Makes the limit of a handler before anybody calls it. Throws `OptionsError` where it cannot work. */
  prepare(handler: Handler): void {
    this.#limits.of(handler);
  }

  /** Makes the limit of everything that has none of its own. Throws `OptionsError` where it cannot work. */
  prepareDefault(): void {
    if (this.#default !== undefined) this.#limit(this.#default, () => 'app');
  }

  /** Lets a call pass, or throws `QuotaExceedsError`. */
  admit(context: ExecutionContext): true | Promise<true> {
    const limit = this.#limits.of(context);
    return limit === undefined ? true : this.#spend(limit, new Visit(context));
  }

  async #spend(limit: Limit, visit: Visit): Promise<true> {
    const { request, response, context } = visit;
    if (request === undefined && !limit.ownKeys) return this.#unknown(limit, context);
    if (this.#counted.has(context)) return true;
    this.#counted.add(context);
    if (request !== undefined) foldPath(visit.exchange);
    try {
      await limit.spend(visit);
    } finally {
      if (request !== undefined) setHeaders(this.#adapters, response, visit.exchange.reply);
    }
    return true;
  }

  /** Nobody is known behind a message: what counts by address cannot count it. */
  #unknown(limit: Limit, context: ExecutionContext): true {
    if (!this.#warned.has(limit)) {
      this.#warned.add(limit);
      const where = `${context.getClass().name}.${context.getHandler().name}`;
      new Logger('Premier').warn(
        `${where} is not limited: a ${context.getType<string>()} call has no request; use @RateLimit with a key function`,
      );
    }
    return true;
  }

  #find(handler: Handler): Limit | undefined {
    const own = this.#reflector.get<LimitPlan | false | undefined>(rateLimitKey, handler.getHandler());
    if (own !== undefined) return own === false ? undefined : this.#limit(own, () => this.#names.of(handler, 'handler'));
    const its = this.#reflector.get<LimitPlan | false | undefined>(rateLimitKey, handler.getClass());
    if (its !== undefined) return its === false ? undefined : this.#limit(its, () => this.#names.of(handler, 'class'));
    return this.#default && this.#limit(this.#default, () => 'app');
  }

  readonly #made = new Map<string, { readonly plan: LimitPlan; readonly limit: Limit }>();

  #limit(plan: LimitPlan, nameOf: () => string): Limit {
    const name = plan.name ?? nameOf();
    const known = this.#made.get(name);
    if (known?.plan === plan) return known.limit;
    const spend = this.#premier.use(requestLimit, { ...plan.options, name })((_visit: Visit): Promise<void> => admitted);
    const limit = { ownKeys: plan.ownKeys, spend };
    this.#made.set(name, { plan, limit });
    return limit;
  }
}

const admitted = Promise.resolve();

/** Express takes `/Books/` for `/books`: nobody gets another quota by another spelling. */
function foldPath(exchange: Exchange): void {
  const { path } = exchange;
  const end = path.length > 1 && path.endsWith('/') ? path.length - 1 : path.length;
  exchange.path = path.slice(0, end).toLowerCase();
}

Injectable()(RequestLimits);
Inject(Premier)(RequestLimits, undefined, 0);
Inject(settingsToken)(RequestLimits, undefined, 1);
Inject(Reflector)(RequestLimits, undefined, 2);
Inject(HttpAdapterHost)(RequestLimits, undefined, 3);
