import type { IncomingMessage } from 'node:http';
import type { Context, ErrorHandler, MiddlewareHandler } from 'hono';
import type { NextInfo } from '../gateway/fetchThrough.js';
import { Middleware, type MiddlewareOptions } from '../gateway/middleware.js';
import { type RouteFeatures, type RouteOptions, RoutePolicies } from '../gateway/routePolicies.js';
import { askerFrom, type AskerOptions } from './asker.js';
import { type Config, type Controls, controlled, fieldsOf, isKnown, type Known, refusalOf, routeForms } from './middleware.js';

declare module 'hono' {
  interface ContextVariableMap {
    /** What the gateway knows of the request: it is there behind `gateway()`. */
    premier: Known;
  }
}

/** Who asks: `client: (c) => c.req.header('cf-connecting-ip')`, say. On Node the address need not be told. */
export type Asking = AskerOptions<Context>;

function around(run: (request: Request, info: NextInfo) => Promise<Response>, options: Asking): MiddlewareHandler {
  const askerOf = askerFrom(options, () => undefined);
  return async (context, next) => {
    let pending = false;
    let response: Response | undefined;
    const goOn: NextInfo['next'] = async (exchange, request) => {
      if (isKnown(exchange)) context.set('premier', exchange);
      if (request !== undefined) context.req.raw = request;
      pending = true;
      await next().finally(() => (pending = false));
      return response === undefined ? context.res : new Response();
    };
    const standing = (): Headers => new Headers(context.res.headers);
    const { socket, rawHeaders } = incomingOf(context);
    response = await run(context.req.raw, { ...askerOf(context), peer: socket?.remoteAddress, rawHeaders, next: goOn, standing });
    if (response === context.res) return response;
    // Hono would add the fields of the answer that it knows to those of this one.
    for (const one of [undefined, response]) put(context, one);
    if (pending) keepFromErrors(context);
    return response;
  };
}

const own = (context: Context): object => Object.getPrototypeOf(context) as object;
const put = (context: Context, response: Response | undefined): boolean => Reflect.set(own(context), 'res', response, context);

/** What is made of an error that the app throws after it was given up comes too late. Middlewares further out still set what they want. */
function keepFromErrors(context: Context): void {
  const set = (made: Response): unknown => (context.error ? made.body?.cancel().catch(() => undefined) : put(context, made));
  Object.defineProperty(context, 'res', { get: () => Reflect.get(own(context), 'res', context) as unknown, set, configurable: true });
}

/** `@hono/node-server` keeps the request there. */
const incomingOf = ({ env }: Context<{ Bindings: { incoming?: IncomingMessage } }>): Partial<IncomingMessage> => env?.incoming ?? {};

/** A gateway in front of all that is added to the app after it. Throws `ConfigError` when its configuration is bad. */
export function gateway(config: Config, { client, consumer, ...options }: MiddlewareOptions & Asking = {}): MiddlewareHandler & Controls {
  const middleware = new Middleware(config, options);
  const run = around((...given) => middleware.fetch(...given), { client, consumer });
  return controlled(run, middleware);
}

/** Several of the gateway's features around what comes after it. */
export function policies(features: RouteFeatures, { client, consumer, ...options }: RouteOptions & Asking = {}): MiddlewareHandler {
  const route = new RoutePolicies(features, options);
  return around((...given) => route.fetch(...given), { client, consumer });
}

export const { rateLimit, cache, circuitBreaker } = routeForms(policies);

/** What an error of Premier's decorators is answered with: 429, 503 or 504, with `Retry-After`. Nothing for any other error. */
export function refusal(error: unknown): Response | undefined {
  const told = refusalOf(error);
  return told && new Response(new Uint8Array(told.body), { status: told.status, headers: [...fieldsOf(told)] as [string, string][] });
}

/** For `app.onError`: answers the errors of Premier's decorators, and all others as Hono does by itself. */
export const errors: ErrorHandler = (error, context) => {
  const told = refusal(error) ?? ('getResponse' in error ? error.getResponse() : undefined);
  if (told === undefined) console.error(error);
  return told ?? context.text('Internal Server Error', 500);
};
