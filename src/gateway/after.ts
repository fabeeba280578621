import type { IncomingMessage, ServerResponse } from 'node:http';
import { OptionsError } from '../core/errors.js';
import { forwardToResponse } from '../http/fetchApp.js';
import type { AppResponse } from '../http/appResponse.js';
import type { Exchange, Passage, WebPassage } from '../http/exchange.js';
import { forwardToNode, handToNode, type NodeApp } from '../http/nodeApp.js';
import { webOfRequest } from '../http/webBody.js';
import { WebRequestBody } from '../http/webRequestBody.js';
import { StandIn } from '../http/standIn.js';
import type { Features } from './config/featureSchemas.js';
import type { ResolvedConfig } from './config/schema.js';
import type { Target } from './pipeline.js';

/** Goes on to what comes after a middleware, with what the gateway knows of the request. */
export type GoOn = (exchange: Exchange) => unknown;

/** The exchange of each request in the gateway that it has passed last: several may be in one app. */
const passed = new WeakMap<object, Exchange>();

/** That of a gateway further out, if the request has passed one. */
export function outerOf(request: object): Exchange | undefined {
  return passed.get(request);
}

/** One request of node's way. */
export class NodePassage implements Passage {
  readonly #response: ServerResponse;
  readonly #next: GoOn;
  #standIn: StandIn | undefined;

  constructor(response: ServerResponse, next: GoOn) {
    this.#response = response;
    this.#next = next;
  }

  standIn(): ServerResponse {
    return (this.#standIn = new StandIn(this.#response)).out;
  }

  goOn(exchange: Exchange, response: ServerResponse): unknown {
    if (response !== this.#response) this.#standIn?.for(response as AppResponse);
    return this.#next(exchange);
  }
}

const app: NodeApp = (request, response) => {
  const exchange = passed.get(request);
  return exchange?.origin.passage?.goOn(exchange, response);
};
const toNode = forwardToNode(app, { once: true });
const handNode = handToNode(app);

/** The app of a gateway that is a middleware: whatever comes after it, once for each request. */
export const after: Target = {
  service: '',
  key: 'app',
  forward(exchange, call) {
    const { request, web } = exchange.origin;
    if (web !== undefined) return forwardToResponse(exchange, call, () => goOn(web, exchange));
    passed.set(request as IncomingMessage, exchange);
    return toNode(exchange, call);
  },
  hand(exchange) {
    const { request, web } = exchange.origin;
    if (web !== undefined)
      return goOn(web, exchange).then((response) => ({ status: response.status, headers: [], body: undefined, response }));
    passed.set(request as IncomingMessage, exchange);
    return handNode(exchange);
  },
};

function goOn({ request, next }: WebPassage, exchange: Exchange): Promise<Response> {
  const { body } = exchange;
  const again = body instanceof WebRequestBody && body.isTouched ? withBody(request, webOfRequest(body)) : undefined;
  passed.set(again ?? request, exchange);
  return next(exchange, again);
}

/** The same request, whose body has gone through the gateway. */
function withBody({ url, method, headers, signal }: Request, body: ReadableStream): Request {
  const init: RequestInit & { duplex: 'half' } = { method, headers, signal, body, duplex: 'half' };
  return new Request(url, init);
}

/** Throws `OptionsError` for what cannot be done around the rest of an app: asking it twice, reading what is for it to read. */
export function checkAfter({ servers, paths, default_features: rest }: ResolvedConfig): void {
  if (servers !== undefined)
    throw new OptionsError('a middleware has the rest of the app behind it, so that `servers` have no place; name pools under `upstreams`');
  for (const { pattern, upstream, features } of paths) if (upstream === undefined) refuseFeatures(features, pattern);
  if (rest !== undefined) refuseFeatures(rest, 'default_features');
}

function refuseFeatures(features: Features, place: string): void {
  const repeats = (['retry', 'hedge'] as const).find((name) => features[name] !== undefined);
  if (repeats !== undefined)
    throw new OptionsError(
      `${place}: \`${repeats}\` would ask for the rest of the app twice, which a middleware cannot; put the gateway in front: createGateway(config, { app })`,
    );
  const bodied = features.cache?.methods.find((method) => method !== 'GET' && method !== 'HEAD');
  if (bodied !== undefined)
    throw new OptionsError(
      `${place}: \`cache\` of ${bodied} would take the body from the rest of the app; keep to GET and HEAD in a middleware`,
    );
}
