import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { discard, isSource } from '../http/body.js';
import { Exchange } from '../http/exchange.js';
import { rawHeadersOf, responseOf } from '../http/fetchApp.js';
import { headerOf } from '../http/headers.js';
import { answerOf, Problem, problemOf } from '../http/problem.js';
import { parseTarget } from '../http/target.js';
import { webOf } from '../http/webBody.js';
import { discardFailures } from './features/failures.js';
import type { Host } from './host.js';

/** What a fetch-style runtime knows beside the request. */
export interface FetchInfo {
  /** The client's address. Without it, limits by `ip` count all clients as one. */
  readonly client?: string;
}

/** Runs a `Request` through the gateway: only here do its features meet fetch's types. */
export async function fetchThrough(gateway: Host, request: Request, { client = 'unknown' }: FetchInfo): Promise<Response> {
  const { generation, runtime } = gateway;
  const url = new URL(request.url);
  const target = parseTarget(url.pathname + url.search, generation.edge);
  const headers = rawHeadersOf(request, url.host);
  const exchange = new Exchange({
    method: request.method,
    path: target instanceof Problem ? url.pathname : target.path,
    query: target instanceof Problem ? '' : target.query,
    host: (headerOf(headers, 'host') ?? url.host).toLowerCase(),
    scheme: url.protocol === 'https:' ? 'https' : 'http',
    client,
    peer: client,
    trusted: false,
    headers,
    body: request.body === null ? undefined : Readable.fromWeb(request.body as NodeReadableStream),
    origin: {},
    upgrade: undefined,
    started: runtime.clock.monotonic(),
  });
  gateway.began(exchange);
  const pipeline = generation.pipelineOf(exchange);
  const call = pipeline.call(exchange);
  const abort = (): void => call.abort(new Problem('client_closed_request'));
  request.signal.addEventListener('abort', abort, { once: true });
  try {
    if (target instanceof Problem) throw target;
    const answer = await (gateway.own(exchange) ?? pipeline.run(call));
    discardFailures(exchange, answer);
    const { body, status } = answer;
    const bodiless = exchange.method === 'HEAD' || status === 204 || status === 304;
    const done = (): void => gateway.finished(exchange, status, Number(headerOf(answer.headers, 'content-length') ?? 0), pipeline);
    if (isSource(body) && !bodiless) return responseOf(exchange, answer, webOf(body, { idle: exchange.idle, clock: runtime.clock, done }));
    discard(body, unwanted);
    const response = responseOf(exchange, answer, bodiless || body === undefined ? null : (body as Uint8Array));
    done();
    return response;
  } catch (error) {
    const problem = problemOf(error);
    discardFailures(exchange);
    gateway.log.problem(exchange, problem);
    gateway.finished(exchange, problem.status, 0, pipeline);
    const answer = answerOf(problem, exchange.correlationId);
    return responseOf(exchange, answer, answer.body as Uint8Array);
  } finally {
    request.signal.removeEventListener('abort', abort);
  }
}

const unwanted = new Error('this answer has no body');
