import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../core/clock.js';
import type { Runtime } from '../core/policy.js';
import type { Provider } from '../core/provider.js';
import { compileTrust } from '../http/client.js';
import { type Asker, exchangeOfRequest, type Edge } from '../http/nodeRequest.js';
import type { Exchange } from '../http/exchange.js';
import { answerOf, Problem } from '../http/problem.js';
import { writeAnswer } from '../http/writer.js';
import { type GatewayLogger, GatewayLog } from '../observe/log.js';
import { after, checkAfter, type GoOn, NodePassage, outerOf } from './after.js';
import { GatewayConfig } from './config/gatewayConfig.js';
import type { GatewayOptions } from './config/gatewayOptions.js';
import { runtimeOf } from './create.js';
import { ownMemory } from './given.js';
import { type FetchHost, fetchThrough, type NextInfo } from './fetchThrough.js';
import { misunderstood } from './misunderstood.js';
import { Pipeline } from './pipeline.js';
import { Visit, type VisitHost } from './visit.js';

/** What the policies of a route may be told beside their own options. */
export interface RouteOptions {
  /** Where counters, circuits and cached answers live. @default the memory of this process */
  readonly provider?: Provider;
  /** What all keys in the store begin with. @default 'premier' */
  readonly keyspace?: string;
  /** Tells the route's counters from those of others. Several processes on one store must agree on it. @default its number: `route 1` */
  readonly name?: string;
  /** Proxies in front, whose X-Forwarded-* are believed. */
  readonly trustedProxies?: readonly string[];
  /** @default the machine's clock */
  readonly clock?: Clock;
  /** Something in pino's way, or a stream that takes lines. @default standard output */
  readonly logger?: GatewayLogger;
}

/** The features of one route, as YAML or code names them. */
export type RouteFeatures = NonNullable<GatewayOptions['defaultFeatures']>;

let routes = 0;
/** Routes on one provider know each other's circuits and cached answers. */
const runtimes = new WeakMap<Provider, Map<string, Runtime>>();
let ours: Provider | undefined;

/** A gateway's features around one route of an app, without a gateway: no ids, no metrics, no paths of their own. */
export class RoutePolicies {
  readonly #host: VisitHost & FetchHost;

  /** Throws `ConfigError` for bad options, and `OptionsError` for features that would ask for the rest of the app twice. */
  constructor(features: RouteFeatures, options: RouteOptions = {}) {
    const { clock = systemClock, keyspace = 'premier', trustedProxies = [], name = `route ${++routes}`, logger } = options;
    const { resolved } = GatewayConfig.fromObject({ default_features: features, trusted_proxies: [...trustedProxies] });
    checkAfter(resolved);
    const log = new GatewayLog({ level: 'warn', access: 'none', clock, logger });
    const runtime = sharedRuntime(options.provider ?? (ours ??= ownMemory(systemClock)), keyspace, clock);
    const { limits, merge_slashes: mergeSlashes } = resolved;
    const trusted = compileTrust(resolved.trusted_proxies);
    const edge: Edge = { trusted, maxUriBytes: limits.max_uri_bytes, mergeSlashes, encodedSlashes: 'keep', clock };
    const pipeline = new Pipeline(name, '*', resolved.default_features ?? {}, after, {
      runtime,
      warn: (message, fields) => log.warn(message, fields),
      forwardTo: () => () => Promise.reject(new Problem('bad_gateway')),
    });
    const pipelineOf = (exchange: Exchange): Pipeline => {
      exchange.pattern = name;
      return pipeline;
    };
    this.#host = { runtime, log, draining: false, began: nothing, finished: nothing, own: nothing, generation: { edge, pipelineOf } };
  }

  /** Runs a request; `next` goes on with the route. */
  handle(request: IncomingMessage, response: ServerResponse, next: GoOn, asker?: Asker): void {
    const { generation, runtime } = this.#host;
    const passage = new NodePassage(response, next);
    const exchange = exchangeOfRequest(request, response, generation.edge, { ...asker, passage });
    if (exchange instanceof Problem)
      return writeAnswer(misunderstood(request, runtime.clock), answerOf(exchange, ''), response, runtime.clock);
    exchange.outer = outerOf(request);
    const pipeline = generation.pipelineOf(exchange);
    new Visit(this.#host, exchange, pipeline.seesAnswers ? passage.standIn() : response, pipeline).run();
  }

  /** The same for a `Request`. */
  fetch(request: Request, info: NextInfo): Promise<Response> {
    return fetchThrough(this.#host, request, info);
  }
}

function sharedRuntime(provider: Provider, keyspace: string, clock: Clock): Runtime {
  const known = runtimes.get(provider) ?? new Map<string, Runtime>();
  runtimes.set(provider, known);
  const runtime = known.get(keyspace) ?? runtimeOf(provider, keyspace, clock, Math.random);
  known.set(keyspace, runtime);
  return runtime;
}

const nothing = (): undefined => undefined;
