import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import type { App } from '../../src/gateway/app.js';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import type { CreateOptions } from '../../src/gateway/createOptions.js';
import type { Gateway } from '../../src/gateway/gateway.js';
import { makeGateway, openGateway, startUpstream } from '../support/gateways.js';

/** A request as it reached what is behind the gateway. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  text(): Promise<string>;
  /** Resolves when nobody waits for the answer any more. */
  readonly left: Promise<unknown>;
}

/** What it answers with. */
export interface Told {
  readonly status?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array | Readable;
}

/** What stands behind the gateway: the same in every mode. `nth` counts from 0. */
export type Script = (asked: Asked, nth: number) => Told | Promise<Told>;

/** A gateway in one of its modes, and a way to ask it. */
export interface Opened {
  readonly gateway: Gateway;
  /** What reached the app or the server. */
  readonly calls: Asked[];
  /** Where it listens; absent for `gateway.fetch`. */
  readonly url: string | undefined;
  ask(path: string, init?: RequestInit & { duplex?: 'half' }): Promise<Response>;
}

/** One way to run a gateway. */
export interface Mode {
  readonly name: string;
  open(t: TestContext, script: Script, config: GatewayOptions, options?: CreateOptions): Promise<Opened>;
}

type Run = (asked: Asked) => Promise<Told>;

function recording(script: Script): { run: Run; calls: Asked[] } {
  const calls: Asked[] = [];
  return { calls, run: async (asked) => script(asked, calls.push(asked) - 1) };
}

function askedOf(request: IncomingMessage, response: ServerResponse): Asked {
  const { method = '', url = '', headers } = request;
  const left = new Promise<void>((resolve) => response.on('close', () => response.writableFinished || resolve()));
  return { method, url, headers, left, text: () => text(request) };
}

function toObject(headers: Told['headers']): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = {};
  for (const [name, value] of headers ?? []) all[name] = name in all ? [all[name] as string | string[], value].flat() : value;
  return all;
}

function nodeApp(run: Run): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const { status = 200, headers, body } = await run(askedOf(request, response));
    response.writeHead(status, toObject(headers));
    if (body instanceof Readable) await pipeline(body, response).catch(() => undefined);
    else response.end(body);
  };
}

function expressApp(run: Run): App {
  const app = express();
  app.disable('x-powered-by').disable('etag');
  app.use(async (request, response) => {
    const { status = 200, headers, body } = await run(askedOf(request, response));
    response.status(status);
    for (const [name, values] of Object.entries(toObject(headers))) response.set(name, values);
    if (body instanceof Readable) await pipeline(body, response).catch(() => undefined);
    else if (body === undefined) response.end();
    else response.send(typeof body === 'string' ? body : Buffer.from(body));
  });
  return app;
}

function koaApp(run: Run): App {
  const app = new Koa();
  app.silent = true;
  app.use(async (context) => {
    const { status = 200, headers, body } = await run(askedOf(context.req, context.res));
    context.status = status;
    for (const [name, values] of Object.entries(toObject(headers))) context.set(name, values);
    if (body !== undefined) context.body = body instanceof Uint8Array ? Buffer.from(body) : body;
  });
  return app;
}

function honoApp(run: Run): App {
  const app = new Hono();
  app.all('*', async (context) => {
    const { raw } = context.req;
    const { pathname, search } = new URL(raw.url);
    const left = new Promise((resolve) => raw.signal.addEventListener('abort', resolve));
    const asked = { method: raw.method, url: pathname + search, headers: context.req.header(), left, text: () => context.req.text() };
    const { status = 200, headers, body } = await run(asked);
    const bytes =
      body instanceof Readable ? (Readable.toWeb(body) as ReadableStream) : typeof body === 'object' ? new Uint8Array(body) : body;
    return new Response(bytes ?? null, { status, headers: (headers ?? []) as [string, string][] });
  });
  return app;
}

async function fastifyApp(t: TestContext, run: Run): Promise<App> {
  const app = fastify();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.all('/*', async (request, reply) => {
    const { status = 200, headers, body } = await run(askedOf(request.raw, reply.raw));
    reply.code(status).headers(toObject(headers));
    return body === undefined ? reply.send() : reply.send(body instanceof Uint8Array ? Buffer.from(body) : body);
  });
  await app.ready();
  t.after(() => app.close());
  return app.routing;
}

type Behind = (t: TestContext, run: Run) => Promise<CreateOptions>;

const proxied: Behind = async (t, run) => {
  const upstream = await startUpstream(t, (request, response) => void nodeApp(run)(request, response).catch(() => response.destroy()));
  return { servers: [upstream.url] };
};

function overHttp(name: string, behind: Behind): Mode {
  return {
    name,
    async open(t, script, config, options) {
      const { run, calls } = recording(script);
      const { gateway, url } = await openGateway(t, config, { ...(await behind(t, run)), ...options });
      return { gateway, calls, url, ask: (path, init) => fetch(url + path, { redirect: 'manual', ...init }) };
    },
  };
}

function overFetch(name: string, behind: Behind): Mode {
  return {
    name,
    async open(t, script, config, options) {
      const { run, calls } = recording(script);
      const gateway = await makeGateway(t, config, { ...(await behind(t, run)), ...options });
      const ask: Opened['ask'] = (path, init) => gateway.fetch(new Request(`http://gateway.test${path}`, init), { client: '192.0.2.7' });
      return { gateway, calls, url: undefined, ask };
    },
  };
}

/** Every way to run a gateway. */
export const modes: readonly Mode[] = [
  overHttp('a proxy in front of a server', proxied),
  overHttp('a node listener', async (_t, run) => ({ app: nodeApp(run) })),
  overHttp('Express', async (_t, run) => ({ app: expressApp(run) })),
  overHttp('Koa', async (_t, run) => ({ app: koaApp(run) })),
  overHttp('Hono', async (_t, run) => ({ app: honoApp(run) })),
  overHttp('Fastify', async (t, run) => ({ app: await fastifyApp(t, run) })),
  overFetch('gateway.fetch in front of a server', proxied),
  overFetch('gateway.fetch in front of Hono', async (_t, run) => ({ app: honoApp(run) })),
];

/** A body that is written to from outside. */
export function openBody(): Readable {
  return new Readable({ read: () => undefined });
}

/** Reads a body chunk by chunk. */
export function readerOf(response: Response): { next(): Promise<string>; cancel(): Promise<void> } {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  return {
    next: async () => {
      const { value } = await reader.read();
      return decoder.decode(value, { stream: true });
    },
    cancel: () => reader.cancel(),
  };
}

interface ErrorBody {
  readonly error: { readonly type: string; readonly message: string; readonly correlation_id: string };
}

/** The error of a problem's body, whose correlation id is that of the answer. */
export async function errorOf(answer: Response): Promise<Omit<ErrorBody['error'], 'correlation_id'>> {
  const { error } = (await answer.json()) as ErrorBody;
  assert.equal(error.correlation_id, answer.headers.get('x-correlation-id'));
  const { type, message } = error;
  return { type, message };
}

/** Some fields of an answer. */
export function some(answer: Response, ...names: string[]): (string | null)[] {
  return names.map((name) => answer.headers.get(name));
}
