import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Call } from '../core/call.js';
import { OptionsError } from '../core/errors.js';
import { forwardToResponse } from '../http/fetchApp.js';
import type { AppResponse } from '../http/appResponse.js';
import type { Answer, Exchange } from '../http/exchange.js';
import { forwardToNode, handToNode, type NodeApp } from '../http/nodeApp.js';
import { webOfRequest } from '../http/webBody.js';
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

/** One request on its way to what comes after. */
interface Passage {
  readonly response: ServerResponse;
  readonly standIn: StandIn;
  readonly next: GoOn;
}

/** The app of a gateway that is a middleware: whatever comes after it, once for each request. */
export class After {
  readonly #passages = new WeakMap<IncomingMessage, Passage>();

  /** A request on its way through. What comes back is for the gateway to write to. */
  open(request: IncomingMessage, response: ServerResponse, next: GoOn): StandIn {
    const standIn = new StandIn(response);
    this.#passages.set(request, { response, standIn, next });
    return standIn;
  }

  /** As the innermost place of a pipeline. */
  target(): Target {
    const app: NodeApp = (request, response) => {
      const passage = this.#passages.get(request);
      if (passage === undefined) throw new Error('what comes after a middleware is asked for its own requests alone');
      if (response !== passage.response) passage.standIn.for(response as AppResponse);
      return passage.next(passed.get(request) as Exchange);
    };
    const node = { forward: forwardToNode(app, { once: true }), hand: handToNode(app) };
    return {
      service: '',
      key: 'app',
      forward: (exchange, call) => forwardToNext(exchange, call) ?? node.forward(exchange, call),
      // A fetch-style request has no response to hand over.
      hand: (exchange, call) => forwardToNext(exchange, call) ?? node.hand(exchange),
    };
  }
}

/** Notes the exchange for those further in, and goes on where that is asked by `Request`. */
function forwardToNext(exchange: Exchange, call: Call): Promise<Answer> | undefined {
  const { request, web, next } = exchange.origin;
  if (request !== undefined) passed.set(request, exchange);
  if (web === undefined || next === undefined) return undefined;
  const again = exchange.body instanceof Readable ? withBody(web, webOfRequest(exchange.body)) : undefined;
  passed.set(again ?? web, exchange);
  return forwardToResponse(exchange, call, () => next(exchange, again));
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
