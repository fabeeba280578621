import { IncomingMessage, type ServerResponse } from 'node:http';
import type { Call } from '../core/call.js';
import { isTold } from './appFields.js';
import { AppResponse } from './appResponse.js';
import type { Answer, Exchange } from './exchange.js';
import { headerOf, isReplaced, type RawHeaders } from './headers.js';
import { Problem } from './problem.js';
import { judgeUpload } from './slowUpload.js';

/** An app as a listener of `node:http`; Express, Koa's `callback()` and Fastify's `routing` are some. */
export type NodeApp = (request: IncomingMessage, response: ServerResponse) => unknown;

/**
 * Calls the app with a response of its own, whose head and body become the answer. Whatever the app does after it was given up (by a timeout,
 * say) goes nowhere. `once` says that the app has the request already, so that it cannot be given another one.
 */
export function forwardToNode(
  app: NodeApp,
  { once = false }: { readonly once?: boolean } = {},
): (exchange: Exchange, call: Call) => Promise<Answer> {
  const called = new WeakSet<IncomingMessage>();
  return (exchange, call) =>
    new Promise((resolve, reject) => {
      const original = exchange.origin.request;
      if (original === undefined) throw new Problem('internal_server_error', { cause: new Error(needsServer) });
      const isOver = exchange.origin.response?.writableEnded === true || (exchange.body instanceof Uint8Array && original.readableEnded);
      const first = once || (!called.has(original) && !isOver);
      called.add(original);
      const request = asTheAppSees(exchange, first ? original : repeated(exchange, original));
      const response = new AppResponse(request, resolve, reject);
      call.onAbort((reason) => {
        judgeUpload(exchange, reason);
        response.abandon();
        if (request !== original) request.destroy();
        reject(reason);
      });
      listen(app, request, response, reject);
    });
}

/** Hands the real response to the app, which writes to it by itself: for paths on which nothing wants to see the answer. */
export function handToNode(app: NodeApp): (exchange: Exchange) => Promise<Answer> {
  return (exchange) =>
    new Promise((resolve, reject) => {
      const { request, response } = exchange.origin;
      if (request === undefined || response === undefined)
        return reject(new Problem('internal_server_error', { cause: new Error(needsServer) }));
      const handed = response as Handed;
      handed[handOf] = { reply: exchange.reply, writeHead: Reflect.get(response, 'writeHead') as Hand['writeHead'], outer: handed[handOf] };
      response.writeHead = writeHeadWithReply;
      const result = listen(app, asTheAppSees(exchange, request), response, reject);
      // What answers by a promise may still fail by it.
      if (result instanceof Promise) result.then(() => resolve(handled), reject);
      else resolve(handled);
    });
}

const needsServer =
  'an app that is a (request, response) listener cannot answer gateway.fetch(): listen, attach, or give an app with fetch(request)';

const isFetchHandler = 'the app returned a Response, which nobody takes from a (request, response) listener: give { fetch: app }';

/** Not by `instanceof`: naming `Response` would load all of fetch. */
function isFetched(result: unknown): boolean {
  return typeof result === 'object' && result !== null && typeof (result as Partial<Response>).arrayBuffer === 'function';
}

const handOf = Symbol('hand');

/** The fields of `reply` for a response, and the `writeHead` that it had. */
interface Hand {
  readonly reply: RawHeaders;
  readonly writeHead: (this: ServerResponse, ...args: unknown[]) => unknown;
  /** That of a gateway further out: several may be in one app. */
  readonly outer: Hand | undefined;
}

/** A response that was handed to an app. One function for all of them costs less than one for each. */
interface Handed extends ServerResponse {
  [handOf]: Hand | undefined;
}

/** The gateway's fields stand on every answer, whatever the app says of them. */
const writeHeadWithReply = function (this: Handed, status: number, ...rest: unknown[]): ServerResponse {
  const hand = this[handOf] as Hand;
  const { reply } = hand;
  const given = rest.at(-1);
  if (isPlain(given) && this.getHeaderNames().length === 0) {
    rest[rest.length - 1] = withReply(given, reply);
  } else {
    for (let i = 0; i < reply.length; i += 2) this.setHeader(reply[i] as string, reply[i + 1] as string);
    if (typeof given === 'object' && given !== null) rest[rest.length - 1] = withoutReplaced(given, reply);
  }
  this[handOf] = hand.outer;
  try {
    return Reflect.apply(hand.writeHead, this, [status, ...rest]) as ServerResponse;
  } finally {
    // One that was refused may be tried again, with other fields.
    this[handOf] = hand;
  }
} as ServerResponse['writeHead'];

/** Fields as an object or as a flat list; not as a list of pairs. */
function isPlain(given: unknown): given is object {
  return typeof given === 'object' && given !== null && !(Array.isArray(given) && Array.isArray(given[0]));
}

/** All fields of an answer as one list: Node then takes them as they are, for half of what it costs to set them one by one. */
function withReply(given: object, reply: RawHeaders): unknown[] {
  const fields: unknown[] = [];
  const add = (name: string, value: unknown): void => {
    if (!isReplaced(name, reply)) fields.push(name, value);
  };
  if (Array.isArray(given)) for (let i = 0; i < given.length; i += 2) add(String(given[i]), given[i + 1]);
  else for (const [name, value] of Object.entries(given)) add(name, value);
  for (const part of reply) fields.push(part);
  return fields;
}

function withoutReplaced(given: object, reply: RawHeaders): object {
  if (Array.isArray(given)) return given.filter((_, i, all) => !isReplaced(String(all[i - (i % 2)]), reply));
  if (!Object.keys(given).some((name) => isReplaced(name, reply))) return given;
  return Object.fromEntries(Object.entries(given).filter(([name]) => !isReplaced(name, reply)));
}

const handled: Answer = { status: 0, headers: [], body: undefined, handled: true };

function listen(app: NodeApp, request: IncomingMessage, response: ServerResponse, failed: (error: unknown) => void): unknown {
  const fail = (error: unknown): void => {
    // Half an answer must not look whole; a whole one stays what it is.
    if (response.headersSent && !response.writableEnded) response.destroy();
    failed(error);
  };
  try {
    const result = app(request, response);
    if (result instanceof Promise) result.then((value) => isFetched(value) && fail(new Error(isFetchHandler)), fail);
    else if (isFetched(result)) fail(new Error(isFetchHandler));
    return result;
  } catch (error) {
    return fail(error);
  }
}

/** The request for the app: with the canonical path, and with what the gateway says about it. */
export function asTheAppSees(exchange: Exchange, request: IncomingMessage): IncomingMessage {
  const { assert, target } = exchange;
  if (request.url !== target) request.url = target;
  const { headers, rawHeaders } = request;
  let told: RawHeaders | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!isTold(name, assert)) continue;
    const lower = name.toLowerCase();
    delete headers[lower];
    // Blanked, not taken out: Node remembers how many there are.
    (told ??= [...rawHeaders])[i + 1] = headerOf(assert, lower) ?? '';
  }
  if (told !== undefined) request.rawHeaders = told;
  for (let i = 0; i < assert.length; i += 2) {
    if (assert[i + 1] !== '') headers[(assert[i] as string).toLowerCase()] = assert[i + 1] as string;
  }
  return request;
}

/** The same request once more, for another attempt, with what is known of its body. */
function repeated({ body }: Exchange, original: IncomingMessage): IncomingMessage {
  const request = new IncomingMessage(original.socket);
  request.method = original.method;
  request.url = original.url;
  request.httpVersion = original.httpVersion;
  request.httpVersionMajor = original.httpVersionMajor;
  request.httpVersionMinor = original.httpVersionMinor;
  request.rawHeaders = original.rawHeaders;
  request.headers = { ...original.headers };
  if (body instanceof Uint8Array) request.push(body);
  request.push(null);
  request.complete = true;
  return request;
}
