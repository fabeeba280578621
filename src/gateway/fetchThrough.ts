import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { discard, isSource } from '../http/body.js';
import { type Answer, Exchange } from '../http/exchange.js';
import { rawHeadersOf, responseOf } from '../http/fetchApp.js';
import { headerOf } from '../http/headers.js';
import { answerOf, Problem, problemOf } from '../http/problem.js';
import { isAuthority, parseTarget } from '../http/target.js';
import { webOf } from '../http/webBody.js';
import { discardFailures } from './features/failures.js';
import type { Generation } from './generation.js';
import type { Host } from './host.js';
import type { Pipeline } from './pipeline.js';

/** Goes on with the rest of the app, with the request's body where the gateway has taken it. */
export type NextResponse = (body: ReadableStream | undefined) => Promise<Response>;

/** What a fetch-style runtime knows beside the request. */
export interface FetchInfo {
  /** The client's address. Without it, limits by `ip` count all clients as one. */
  readonly client?: string;
  /** For a gateway that is a middleware: what comes after it. */
  readonly next?: NextResponse;
}

/** What a `Request` needs of whoever brings it in. */
export interface FetchHost extends Pick<Host, 'runtime' | 'log' | 'began' | 'finished' | 'own'> {
  readonly generation: Pick<Generation, 'edge' | 'pipelineOf'>;
}

/** Runs a `Request` through the gateway: only here do its features meet fetch's types. */
export async function fetchThrough(gateway: FetchHost, request: Request, { client = 'unknown', next }: FetchInfo): Promise<Response> {
  const { generation, runtime } = gateway;
  const url = new URL(request.url);
  const headers = rawHeadersOf(request, url.host);
  const host = (headerOf(headers, 'host') ?? url.host).toLowerCase();
  const target = isAuthority(host) ? parseTarget(url.pathname + url.search, generation.edge) : new Problem('bad_request');
  const exchange = new Exchange({
    method: request.method,
    path: target instanceof Problem ? url.pathname : target.path,
    query: target instanceof Problem ? '' : target.query,
    host,
    scheme: url.protocol === 'https:' ? 'https' : 'http',
    client,
    peer: client,
    trusted: false,
    headers,
    body: request.body === null || request.bodyUsed ? undefined : bodyOf(request.body),
    origin: next === undefined ? {} : { next },
    upgrade: undefined,
    started: runtime.clock.monotonic(),
  });
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
