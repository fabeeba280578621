import type { Call } from '../core/call.js';
import { fieldsForApp } from './appFields.js';
import { discard } from './body.js';
import type { Answer, Exchange } from './exchange.js';
import { headerOf, type RawHeaders, removeHeader } from './headers.js';
import { measured } from './measured.js';
import { Problem } from './problem.js';
import { judgeUpload } from './slowUpload.js';
import { webOfRequest } from './webBody.js';
import { bodyOfStream } from './webSource.js';

/** An app that answers a `Request`: Hono, or any fetch handler. */
export interface FetchApp {
  fetch(request: Request, ...rest: unknown[]): Response | Promise<Response>;
}

/** Calls a fetch-style app. The exchange becomes a `Request` only here, and its `Response` an answer. */
export function forwardToFetch(app: FetchApp): (exchange: Exchange, call: Call) => Promise<Answer> {
  const ask = async (exchange: Exchange, call: Call): Promise<Response> => app.fetch(requestOf(exchange, call), exchange.origin);
  return (exchange, call) => forwardToResponse(exchange, call, () => ask(exchange, call));
}

/** Takes the `Response` of something as an answer. */
export function forwardToResponse(exchange: Exchange, call: Call, respond: () => Promise<Response>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // An app need not look at its signal: nobody waits for it any longer than they want to.
    call.onAbort((reason) => {
      judgeUpload(exchange, reason);
      reject(reason);
    });
    answered(exchange, call, respond).then(resolve, reject);
  });
}

async function answered({ method, origin }: Exchange, call: Call, respond: () => Promise<Response>): Promise<Answer> {
  const answer = await answerOfResponse(await respond(), method, origin.web?.standing);
  if (call.aborted) discard(answer.body, late);
  return answer;
}

const late = new Error('nobody waits for this answer any more');

function requestOf(exchange: Exchange, call: Call): Request {
  const headers = new Headers();
  const raw = fieldsForApp(exchange);
  for (let i = 0; i < raw.length; i += 2) if (!isHop(raw[i] as string)) headers.append(raw[i] as string, raw[i + 1] as string);
  const bodiless = exchange.method === 'GET' || exchange.method === 'HEAD';
  const body = bodiless ? undefined : exchange.body;
  const init: RequestInit & { duplex: 'half' } = {
    method: exchange.method,
    headers,
    signal: call.signal,
    duplex: 'half',
    ...(body === undefined ? {} : { body: body instanceof Uint8Array ? new Uint8Array(body) : webOfRequest(body) }),
  };
  try {
    return new Request(`${exchange.scheme}://${exchange.host}${exchange.target}`, init);
  } catch {
    // A `Host` such as 999.999.999.999. What is thrown names the whole address, which is not for logs.
    throw new Problem('bad_request', { message: 'The request is malformed: its address is none' });
  }
}

const hops: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'proxy-connection',
  'expect',
]);

function isHop(name: string): boolean {
  return hops.has(name.toLowerCase());
}

/** A `Response` as an answer to a request of that method, without what stood on it before. */
async function answerOfResponse(response: Response, method: string, standing: Headers | undefined): Promise<Answer> {
  const headers: RawHeaders = [];
  const cookies = standing?.getSetCookie();
  response.headers.forEach((value, name) => {
    const stood = name === 'set-cookie' ? cookies?.includes(value) : standing?.get(name) === value;
    if (stood !== true && !isHop(name)) headers.push(name, value);
  });
  const body = response.body === null ? undefined : await bodyOfStream(response.body);
  if (body instanceof Uint8Array && method !== 'HEAD' && headerOf(headers, 'content-length') === undefined)
    headers.push('content-length', String(body.length));
  return measured({ status: response.status, headers, body }, method);
}

/** An answer as a `Response`, with the fields of `exchange.reply`. */
export function responseOf(exchange: Exchange, answer: Answer, body: ReadableStream | Uint8Array | null): Response {
  const headers = new Headers();
  for (let i = 0; i < answer.headers.length; i += 2) headers.append(answer.headers[i] as string, answer.headers[i + 1] as string);
  const { reply } = exchange;
  for (let i = 0; i < reply.length; i += 2) headers.set(reply[i] as string, reply[i + 1] as string);
  if (exchange.tie !== undefined) headers.append('set-cookie', exchange.tie);
  exchange.origin.web?.standing?.forEach((value, name) => {
    if (name === 'set-cookie' || name === 'vary') headers.append(name, value);
    else if (!headers.has(name)) headers.set(name, value);
  });
  return new Response(body instanceof Uint8Array ? new Uint8Array(body) : body, { status: answer.status, headers });
}

/** An app's `Response` with the fields of `exchange.reply`, where nothing else is made of it. */
export function withReply({ reply }: Exchange, response: Response): Response {
  if (reply.length === 0) return response;
  try {
    for (let i = 0; i < reply.length; i += 2) response.headers.set(reply[i] as string, reply[i + 1] as string);
    return response;
  } catch {
    // That of a `fetch` does not let its fields be changed.
    const open = new Response(response.body, response);
    for (let i = 0; i < reply.length; i += 2) open.headers.set(reply[i] as string, reply[i + 1] as string);
    return open;
  }
}

/** The fields of a `Request` as raw headers, with its host. */
export function rawHeadersOf(request: Request, host: string): RawHeaders {
  const raw: RawHeaders = [];
  request.headers.forEach((value, name) => raw.push(name, value));
  if (headerOf(raw, 'host') === undefined) raw.push('host', host);
  removeHeader(raw, 'expect');
  return raw;
}
