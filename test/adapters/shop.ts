import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { Config, Controls, Known } from '../../src/adapters/middleware.js';
import type { MiddlewareOptions } from '../../src/gateway/middleware.js';
import type { RouteFeatures, RouteOptions } from '../../src/gateway/routePolicies.js';

/** What a route answers. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Readable;
}

/** A route of the shop, with policies of its own. */
export interface Route {
  readonly policies?: RouteFeatures;
  answer(body: string, known: Known | undefined): Reply | Promise<Reply>;
}

/** An app as each framework builds it: fields that an earlier middleware sets, the gateway, a body parser, routes, error mapping. */
export interface Shop {
  readonly config?: Config;
  /** Another gateway behind the first. */
  readonly inner?: Config;
  readonly options?: MiddlewareOptions;
  readonly route?: RouteOptions;
  /** Where the gateway is mounted. */
  readonly prefix?: string;
  /** Policies of routes are told that `X-User` is who asks. */
  readonly knowsUsers?: boolean;
  /** A proxy stands in front, which the framework is told to believe; where it has no word for that, the gateway is. */
  readonly behindProxy?: boolean;
  /** The body is read before the gateway sees the request. */
  readonly parsesFirst?: boolean;
  /** By method and path, such as `GET /hello`. */
  readonly routes: Readonly<Record<string, Route>>;
}

/** A shop that is open. */
export interface Open {
  readonly url: string;
  readonly server: Server;
}

export type Framework = (t: TestContext, shop: Shop) => Promise<Open>;

export const quiet = { write: (): undefined => undefined } as unknown as NonNullable<MiddlewareOptions['logger']>;
export const routesOf = ({ routes }: Shop): readonly (readonly [method: string, path: string, route: Route])[] =>
  Object.entries(routes).map(([name, route]) => {
    const [method = '', path = ''] = name.split(' ');
    return [method, path, route];
  });

/** Who asks, as an app may know it. */
export const userOf =
  ({ knowsUsers = false }: Shop) =>
  ({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined =>
    knowsUsers ? String(headers['x-user']) : undefined;

export async function listening(t: TestContext, server: Server): Promise<Open> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

export async function attached(t: TestContext, open: Open, control: Controls | undefined): Promise<Open> {
  if (control === undefined) return open;
  await control.attach(open.server);
  t.after(() => control.close());
  return open;
}

export function send(response: ServerResponse, { status = 200, headers = {}, body }: Reply): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (typeof body === 'string') response.end(body);
  else body.pipe(response);
}
