import { Middleware, type MiddlewareOptions } from '../gateway/middleware.js';
import type { NextResponse } from '../gateway/fetchThrough.js';
import { type RouteFeatures, type RouteOptions, RoutePolicies } from '../gateway/routePolicies.js';
import { type Config, type Controls, controlled, fieldsOf, refusalOf, routeForms } from './middleware.js';

/** What is needed of Hono's context. */
export interface HonoContext {
  readonly req: { raw: Request };
  readonly env: unknown;
  res: Response;
}

/** A middleware of Hono. */
export type HonoMiddleware = (context: HonoContext, next: () => Promise<void>) => Promise<Response>;

/** How the client's address is found: `(c) => getConnInfo(c).remote.address`, say. On Node it need not be told. */
export interface ClientOption {
  readonly client?: (context: HonoContext) => string | undefined;
}

type Run = (request: Request, client: string | undefined, next: NextResponse) => Promise<Response>;

function around(run: Run, client: (context: HonoContext) => string | undefined = addressOf): HonoMiddleware {
  return async (context, next) => {
    let passed = false;
    let answered: Response | undefined;
    const response = await run(context.req.raw, client(context), async (body) => {
      if (body !== undefined) context.req.raw = withBody(context.req.raw, body);
      await next();
      passed = true;
      return answered === undefined ? context.res : new Response();
    });
    answered = response;
    // Hono would add the fields of the answer that it knows to those of this one.
    Reflect.set(context, 'res', undefined);
    context.res = response;
    // What the app answers after it was given up comes too late.
    if (!passed) Object.defineProperty(context, 'res', { get: () => response, set: cancel, configurable: true });
    return response;
  };
}

const cancel = ({ body }: Response): void => void body?.cancel().catch(() => undefined);

/** The same request, whose body has gone through the gateway. */
function withBody({ url, method, headers, signal }: Request, body: ReadableStream): Request {
  const init: RequestInit & { duplex: 'half' } = { method, headers, signal, body, duplex: 'half' };
  return new Request(url, init);
}

/** `@hono/node-server` keeps the request there. */
function addressOf({ env }: HonoContext): string | undefined {
  const { incoming } = (env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return incoming?.socket?.remoteAddress;
}

/** A gateway in front of all that is added to the app after it. Throws `ConfigError` when its configuration is bad. */
export function gateway(config: Config, { client, ...options }: MiddlewareOptions & ClientOption = {}): HonoMiddleware & Controls {
  const middleware = new Middleware(config, options);
  return controlled(
    around((...given) => middleware.fetch(...given), client),
    middleware,
  );
}

/** Several of the gateway's features around what comes after it. */
export function policies(features: RouteFeatures, { client, ...options }: RouteOptions & ClientOption = {}): HonoMiddleware {
  const route = new RoutePolicies(features, options);
  return around((...given) => route.fetch(...given), client);
}

export const { rateLimit, cache, circuitBreaker } = routeForms(policies);

/** For `app.onError`: answers the errors of Premier's decorators, 429, 503 and 504 with `Retry-After`; all others are thrown again. */
export function errors(error: unknown): Response {
  const refusal = refusalOf(error);
  if (refusal === undefined) throw error;
  return new Response(new Uint8Array(refusal.body), { status: refusal.status, headers: [...fieldsOf(refusal)] as [string, string][] });
}
