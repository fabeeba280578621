import type { IncomingMessage, ServerResponse } from 'node:http';
import { Middleware, type MiddlewareOptions } from '../gateway/middleware.js';
import { type RouteFeatures, type RouteOptions, RoutePolicies } from '../gateway/routePolicies.js';
import { type Config, type Controls, controlled, fieldsOf, refusalOf, routeForms } from './middleware.js';

/** What is needed of Koa's context. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  respond?: boolean | undefined;
  status: number;
  body: unknown;
  readonly headerSent: boolean;
  set(name: string, value: string): void;
}

/** A middleware of Koa. */
export type KoaMiddleware = (context: KoaContext, next: () => Promise<unknown>) => Promise<void>;

type Run = (request: IncomingMessage, response: ServerResponse, next: () => void, failed: (error: unknown) => void) => void;

/** Koa answers when its middlewares are done; what the gateway has answered by itself, it must leave alone. */
function around(run: Run): KoaMiddleware {
  return (context, next) =>
    new Promise((resolve, reject) => {
      let passed = false;
      context.res.once('close', () => {
        if (!passed) context.respond = false;
        if (!passed) resolve();
      });
      const goOn = (): void => {
        passed = true;
        next().then(() => resolve(), reject);
      };
      run(context.req, context.res, goOn, reject);
    });
}

/** A gateway in front of all middlewares that are added after it. Throws `ConfigError` when its configuration is bad. */
export function gateway(config: Config, options?: MiddlewareOptions): KoaMiddleware & Controls {
  const middleware = new Middleware(config, options);
  return controlled(
    around((...given) => middleware.handle(...given)),
    middleware,
  );
}

/** Several of the gateway's features around what comes after it. */
export function policies(features: RouteFeatures, options?: RouteOptions): KoaMiddleware {
  const route = new RoutePolicies(features, options);
  return around((request, response, next) => route.handle(request, response, next));
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
