import { discard, isSource } from '../http/body.js';
import { type Answer, consumerNamed, Exchange, type WebPassage } from '../http/exchange.js';
import { rawHeadersOf, responseOf, withReply } from '../http/fetchApp.js';
import { type Client, clientOf, type Matcher, plainAddress } from '../http/client.js';
import { headerOf, type RawHeaders } from '../http/headers.js';
import { answerOf, Problem, problemOf } from '../http/problem.js';
import type { Asker } from '../http/nodeRequest.js';
import { isAuthority, parseTarget } from '../http/target.js';
import { webOf } from '../http/webBody.js';
import { WebRequestBody } from '../http/webRequestBody.js';
import { outerOf } from './after.js';
import { discardFailures } from './features/failures.js';
import type { Generation } from './generation.js';
import type { Host } from './host.js';
import type { Pipeline } from './pipeline.js';

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
  readonly next?: WebPassage['next'];
  /** A copy of the fields that stand on the answer already. */
  readonly standing?: () => Headers;
  /** The fields as they came, where they are known. */
  readonly rawHeaders?: RawHeaders | undefined;
}

/** What a `Request` needs of whoever brings it in. */
export interface FetchHost extends Pick<Host, 'runtime' | 'log' | 'began' | 'finished' | 'own'> {
  readonly generation: Pick<Generation, 'edge' | 'pipelineOf'>;
}

/** Runs a `Request` through the gateway: only here do its features meet fetch's types. */
export async function fetchThrough(gateway: FetchHost, request: Request, info: NextInfo): Promise<Response> {
  const { generation, runtime } = gateway;
  const { next } = info;
  const web: WebPassage | undefined = next && { request, next };
  const address = addressOf(request.url);
  const headers = info.rawHeaders ?? rawHeadersOf(request, address.host);
  const { peer, trusted, told } = whoIs(info, headers, generation.edge.trusted);
  const host = told.host ?? (headerOf(headers, 'host') ?? address.host).toLowerCase();
  const target = isAuthority(host) ? parseTarget(address.target, generation.edge) : new Problem('bad_request');
  const bodiless = request.method === 'GET' || request.method === 'HEAD';
  const exchange = new Exchange({
    method: request.method,
    path: target instanceof Problem ? (address.target.split('?', 1)[0] as string) : target.path,
    query: target instanceof Problem ? '' : target.query,
    host,
    scheme: told.scheme ?? address.scheme,
    client: told.client,
    peer,
    trusted,
    headers,
    body: bodiless || request.body === null || request.bodyUsed ? undefined : new WebRequestBody(request),
    origin: web === undefined ? {} : { web },
    upgrade: undefined,
    started: runtime.clock.monotonic(),
  });
  exchange.consumer = consumerNamed(info.consumer);
  if (next !== undefined) exchange.outer = outerOf(request);
  gateway.began(exchange);
  const pipeline = generation.pipelineOf(exchange);
  const call = pipeline.call(exchange);
  const abort = (): void => call.abort(new Problem('client_closed_request'));
  if (web !== undefined && pipeline.seesAnswers) web.standing = info.standing?.();
  // Where the app answers by itself, it hears of it by itself.
  const signal = next === undefined || pipeline.seesAnswers ? request.signal : undefined;
  signal?.addEventListener('abort', abort, { once: true });
  let answer: Answer | undefined;
  try {
    if (target instanceof Problem) throw target;
    answer = await (gateway.own(exchange) ?? pipeline.run(call));
    discardFailures(exchange, answer);
    return answered(gateway, exchange, pipeline, answer);
  } catch (error) {
    const problem = problemOf(error);
    if (web !== undefined) web.standing ??= info.standing?.();
    // A `Response` takes no status beyond 599, nor every field.
    discard(answer?.body, unwanted);
    discardFailures(exchange);
    gateway.log.problem(exchange, problem);
    gateway.finished(exchange, problem.status, 0, pipeline);
    const told = answerOf(problem, exchange.correlationId);
    return responseOf(exchange, told, told.body);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** The parts of a `Request`'s address, which is in its normal form already. */
function addressOf(url: string): { readonly scheme: 'http' | 'https'; readonly host: string; readonly target: string } {
  const begin = url.indexOf('://') + 3;
  const path = url.indexOf('/', begin);
  const hash = url.indexOf('#', begin);
  const end = hash === -1 ? url.length : hash;
  return { scheme: url.startsWith('https:') ? 'https' : 'http', host: url.slice(begin, path), target: url.slice(path, end) };
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
  if (answer.response !== undefined) {
    const length = Number(answer.response.headers.get('content-length') ?? 0);
    gateway.finished(exchange, status, length, pipeline);
    return withReply(exchange, answer.response);
  }
  const bodiless = exchange.method === 'HEAD' || bodilessStatuses.has(status);
  const done = (): void => gateway.finished(exchange, status, Number(headerOf(headers, 'content-length') ?? 0), pipeline);
  if (isSource(body) && !bodiless) return responseOf(exchange, answer, webOf(body, { idle: exchange.idle, clock, done }));
  discard(body, unwanted);
  const response = responseOf(exchange, answer, body instanceof Uint8Array && !bodiless ? body : null);
  done();
  return response;
}

/** Those with which a `Response` may not have a body. */
const bodilessStatuses: ReadonlySet<number> = new Set([204, 205, 304]);

const unwanted = new Error('this answer has no body');
