import type { IncomingMessage, ServerResponse } from 'node:http';
import { Middleware, type MiddlewareOptions } from '../gateway/middleware.js';
import { type RouteFeatures, type RouteOptions, RoutePolicies } from '../gateway/routePolicies.js';
import type { Asker } from '../http/nodeRequest.js';
import { askerFrom, type AskerOptions } from './asker.js';
import { type Config, type Controls, controlled, fieldsOf, isKnown, type Known, refusalOf, routeForms } from './middleware.js';

/** What is needed of Koa's context. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  respond?: boolean | undefined;
  status: number;
  body: unknown;
  readonly headerSent: boolean;
  readonly ip: string;
  readonly app: { readonly proxy: boolean };
  readonly state: { premier?: Known };
  set(name: string, value: string): void;
}

/** Who asks, by Koa's context. */
export type Asking = AskerOptions<KoaContext>;

/** A middleware of Koa. */
export type KoaMiddleware = (context: KoaContext, next: () => Promise<unknown>) => Promise<void>;

type Run = (context: KoaContext, next: (known: Known) => void, failed: (error: unknown) => void, asker: Asker) => void;

/** Koa answers when its middlewares are done; what the gateway has answered by itself, it must leave alone. */
function around(run: Run, options: Asking): KoaMiddleware {
  // Koa's own `proxy` tells whom to believe.
  const askerOf = askerFrom(options, ({ app, ip }) => (app.proxy ? ip : undefined));
  return (context, next) =>
    new Promise((resolve, reject) => {
      let passed = false;
      context.res.once('close', () => {
        if (!passed) context.respond = false;
        if (!passed) resolve();
      });
      const goOn = (known: Known): void => {
        passed = true;
        if (isKnown(known)) context.state.premier = known;
        next().then(() => resolve(), reject);
      };
      run(context, goOn, reject, askerOf(context));
    });
}

/** A gateway in front of all middlewares that are added after it. Throws `ConfigError` when its configuration is bad. */
export function gateway(config: Config, { client, consumer, ...options }: MiddlewareOptions & Asking = {}): KoaMiddleware & Controls {
  const middleware = new Middleware(config, options);
  const run = around(({ req, res }, ...given) => middleware.handle(req, res, ...given), { client, consumer });
  return controlled(run, middleware);
}

/** Several of the gateway's features around what comes after it. */
export function policies(features: RouteFeatures, { client, consumer, ...options }: RouteOptions & Asking = {}): KoaMiddleware {
  const route = new RoutePolicies(features, options);
  return around(({ req, res }, next, _failed, asker) => route.handle(req, res, next, asker), { client, consumer });
}

export const { rateLimit, cache, circuitBreaker } = routeForms(policies);

/** Answers the errors of Premier's decorators: 429, 503 and 504 with `Retry-After`. Add it before what may throw. */
export function errors(): KoaMiddleware {
  return async (context, next) => {
    try {
      await next();
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined || context.headerSent) throw error;
      context.status = refusal.status;
      context.body = refusal.body;
      for (const [name, value] of fieldsOf(refusal)) context.set(name, value);
    }
  };
}
