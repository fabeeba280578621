import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { discard, isSource } from '../http/body.js';
import { type Answer, consumerNamed, Exchange } from '../http/exchange.js';
import { rawHeadersOf, responseOf } from '../http/fetchApp.js';
import { type Client, clientOf, type Matcher, plainAddress } from '../http/client.js';
import { headerOf, type RawHeaders } from '../http/headers.js';
import { answerOf, Problem, problemOf } from '../http/problem.js';
import type { Asker } from '../http/nodeRequest.js';
import { isAuthority, parseTarget } from '../http/target.js';
import { webOf } from '../http/webBody.js';
import { outerOf } from './after.js';
import { discardFailures } from './features/failures.js';
import type { Generation } from './generation.js';
import type { Host } from './host.js';
import type { Pipeline } from './pipeline.js';

/** Goes on with the rest of the app: with another request where the gateway has taken the body of the first. */
export type NextResponse = (exchange: Exchange, request: Request | undefined) => Promise<Response>;

/** What a fetch-style runtime knows beside the request. */
export interface FetchInfo extends Asker {
  /**
   * The address at the other end of the connection, where `client` is not known: `trusted_proxies` then tell whether its X-Forwarded-* are
   * believed. Without either, limits by `ip` count all clients as one.
   */
  readonly peer?: string | undefined;
}

/** What a gateway that is a middleware is told beside. */
export interface NextInfo extends FetchInfo {
  /** What comes after it. */
  readonly next?: NextResponse;
  /** Fields that stand on the answer already. */
  readonly standing?: Headers;
}

/** What a `Request` needs of whoever brings it in. */
export interface FetchHost extends Pick<Host, 'runtime' | 'log' | 'began' | 'finished' | 'own'> {
  readonly generation: Pick<Generation, 'edge' | 'pipelineOf'>;
}

/** Runs a `Request` through the gateway: only here do its features meet fetch's types. */
export async function fetchThrough(gateway: FetchHost, request: Request, info: NextInfo): Promise<Response> {
  const { generation, runtime } = gateway;
  const { next, standing } = info;
  const url = new URL(request.url);
  const headers = rawHeadersOf(request, url.host);
  const { peer, trusted, told } = whoIs(info, headers, generation.edge.trusted);
  const host = told.host ?? (headerOf(headers, 'host') ?? url.host).toLowerCase();
  const target = isAuthority(host) ? parseTarget(url.pathname + url.search, generation.edge) : new Problem('bad_request');
  const exchange = new Exchange({
    method: request.method,
    path: target instanceof Problem ? url.pathname : target.path,
    query: target instanceof Problem ? '' : target.query,
    host,
    scheme: told.scheme ?? (url.protocol === 'https:' ? 'https' : 'http'),
    client: told.client,
    peer,
    trusted,
    headers,
    body: request.body === null || request.bodyUsed ? undefined : bodyOf(request.body),
    origin: next === undefined ? {} : { web: request, next, ...(standing !== undefined && { standing }) },
    upgrade: undefined,
    started: runtime.clock.monotonic(),
  });
  exchange.consumer = consumerNamed(info.consumer);
  if (next !== undefined) exchange.outer = outerOf(request);
  gateway.began(exchange);
  const pipeline = generation.pipelineOf(exchange);
  const call = pipeline.call(exchange);
  const abort = (): void => call.abort(new Problem('client_closed_request'));
  request.signal.addEventListener('abort', abort, { once: true });
  let answer: Answer | undefined;
  try {
    if (target instanceof Problem) throw target;
    answer = await (gateway.own(exchange) ?? pipeline.run(call));
    discardFailures(exchange, answer);
    return answered(gateway, exchange, pipeline, answer);
  } catch (error) {
    const problem = problemOf(error);
    // A `Response` takes no status beyond 599, nor every field.
    discard(answer?.body, unwanted);
    discardFailures(exchange);
    gateway.log.problem(exchange, problem);
    gateway.finished(exchange, problem.status, 0, pipeline);
    const told = answerOf(problem, exchange.correlationId);
    return responseOf(exchange, told, told.body);
  } finally {
    request.signal.removeEventListener('abort', abort);
  }
}

/** Who asks: what is told for sure, or what a trusted proxy says. */
function whoIs(
  { client, peer = client ?? 'unknown' }: FetchInfo,
  headers: RawHeaders,
  isTrusted: Matcher,
): { readonly peer: string; readonly trusted: boolean; readonly told: Client } {
  const address = plainAddress(peer);
  const trusted = client === undefined && isTrusted(address);
  const told = trusted
    ? clientOf(address, headers, isTrusted)
    : { client: plainAddress(client ?? peer), scheme: undefined, host: undefined };
  return { peer: address, trusted, told };
}

/** Counts the request as over once its body is. */
function answered(gateway: FetchHost, exchange: Exchange, pipeline: Pipeline, answer: Answer): Response {
  const { body, status, headers } = answer;
  const { clock } = gateway.runtime;
  const bodiless = exchange.method === 'HEAD' || bodilessStatuses.has(status);
  const done = (): void => gateway.finished(exchange, status, Number(headerOf(headers, 'content-length') ?? 0), pipeline);
  if (isSource(body) && !bodiless) return responseOf(exchange, answer, webOf(body, { idle: exchange.idle, clock, done }));
  discard(body, unwanted);
  const response = responseOf(exchange, answer, body instanceof Uint8Array && !bodiless ? body : null);
  done();
  return response;
}

/** The client may leave before anybody reads it, which must not end the process. */
function bodyOf(stream: ReadableStream): Readable {
  return Readable.fromWeb(stream as NodeReadableStream).on('error', () => undefined);
}

/** Those with which a `Response` may not have a body. */
const bodilessStatuses: ReadonlySet<number> = new Set([204, 205, 304]);

const unwanted = new Error('this answer has no body');
