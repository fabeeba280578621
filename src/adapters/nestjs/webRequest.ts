import type { ExecutionContext } from '@nestjs/common';

/** What the requests of Express and Fastify have in common, as far as limits and caches read it. */
export interface WebRequest {
  readonly method?: string;
  readonly url?: string;
  /** The address before a router took its own part away. */
  readonly originalUrl?: string;
  /** The client's address, as the framework's `trust proxy` tells it. */
  readonly ip?: string;
  readonly protocol?: string;
  /** Host and port, as the framework's `trust proxy` tells them. */
  readonly host?: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly rawHeaders?: readonly string[];
  readonly socket?: { readonly remoteAddress?: string | undefined };
  /** Node's own request below the one of Fastify. */
  readonly raw?: { readonly rawHeaders?: readonly string[] };
  /** Who asks, where a guard has found out. */
  readonly user?: unknown;
  /** Express knows the response of a request. */
  readonly res?: WebResponse;
}

/** What the responses of Express and Fastify have in common. */
export interface WebResponse {
  readonly statusCode?: number;
  readonly headersSent?: boolean;
  /** Fastify's word for `headersSent`. */
  readonly sent?: boolean;
  getHeader?(name: string): unknown;
}

/** Path and query as they came. */
export function addressOf({ originalUrl, url }: WebRequest | { readonly originalUrl?: never; readonly url?: never }): string {
  return originalUrl ?? url ?? '/';
}

/** A request with its response, as far as the context of a handler has them. */
export interface Web {
  readonly request: WebRequest | undefined;
  readonly response: WebResponse | undefined;
}

/** Finds the HTTP request behind a handler, also below GraphQL. Messages and sockets have none. */
export function webOf(context: ExecutionContext): Web {
  const type = context.getType<string>();
  if (type === 'http') {
    const http = context.switchToHttp();
    return { request: http.getRequest<WebRequest>(), response: http.getResponse<WebResponse>() };
  }
  return type === 'graphql' ? webOfGraphql(context.getArgByIndex<GraphqlContext | undefined>(2)) : none;
}

const none: Web = { request: undefined, response: undefined };

/** What servers of GraphQL put into their context: Apollo `req`, Mercurius `reply`, graphql-ws `extra`. Applications may take all of it out. */
interface GraphqlContext {
  readonly req?: unknown;
  readonly res?: unknown;
  readonly request?: unknown;
  readonly reply?: WebResponse & { readonly request?: unknown };
  readonly extra?: { readonly request?: unknown };
}

function webOfGraphql(context: GraphqlContext | undefined): Web {
  const { req, res, request, reply, extra } = context ?? {};
  const found = [req, request, reply?.request, extra?.request].find(isRequest);
  const response = [res, reply, found?.res].find(isResponse);
  return { request: found, response };
}

function isRequest(value: unknown): value is WebRequest {
  return typeof value === 'object' && value !== null && typeof (value as Partial<WebRequest>).headers === 'object';
}

function isResponse(value: unknown): value is WebResponse {
  return typeof value === 'object' && value !== null && typeof (value as WebResponse).getHeader === 'function';
}
