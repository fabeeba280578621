import { type INestApplication, type ModuleMetadata, VersioningType } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';

/** The HTTP adapters of Nest. */
export const adapters = {
  express: () => new ExpressAdapter(),
  fastify: () => new FastifyAdapter(),
} as const;

/** An application that listens, and how it is asked. */
export interface Running extends AsyncDisposable {
  readonly app: INestApplication;
  readonly url: string;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  send(path: string, init: RequestInit): Promise<Reply>;
}

/** An answer, read to its end. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  json(): unknown;
}

/** Starts an application of one module. */
export async function run(module: ModuleMetadata, adapter: keyof typeof adapters = 'express'): Promise<Running> {
  const { app } = await compiled(module, adapter);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const send = async (path: string, init: RequestInit): Promise<Reply> => {
    const response = await fetch(url + path, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) as unknown };
  };
  return {
    app,
    url,
    get: (path, headers = {}) => send(path, { headers }),
    send,
    [Symbol.asyncDispose]: () => app.close(),
  };
}

/** The same before it listens. */
export async function compiled(
  module: ModuleMetadata,
  adapter: keyof typeof adapters = 'express',
): Promise<{ readonly app: INestApplication }> {
  const built = await Test.createTestingModule(module).compile();
  const app = built.createNestApplication<INestApplication & NestFastifyApplication>(adapters[adapter](), { logger: false });
  app.enableVersioning({ type: VersioningType.URI });
  return { app };
}
