import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { createFetch, type Fetch, type FetchCacheOptions } from '../../src/adapters/fetch/index.js';
import { Premier } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { serve, type TestServer } from './fetchTools.js';

/** A cache of `createFetch` in front of a server, on a clock that stands still. */
export interface Stage {
  readonly clock: FakeClock;
  readonly premier: Premier;
  readonly server: TestServer;
  readonly fetch: Fetch;
  /** The body of an answer, once it is kept as far as it will be. */
  get(path?: string, init?: RequestInit): Promise<string>;
}

/** Sets it up. */
export async function stage(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse, turn: number) => unknown,
  cache: FetchCacheOptions = {},
): Promise<Stage> {
  const clock = new FakeClock(Date.now());
  const premier = new Premier({ clock });
  const server = await serve(t, answer);
  const fetch = createFetch({ premier, cache });
  const get: Stage['get'] = async (path = '/', init = {}) => {
    const text = await (await fetch(`${server.url}${path}`, init)).text();
    await settled();
    return text;
  };
  return { clock, premier, server, fetch, get };
}

/** What is read beside the caller needs a few turns more. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Fields of an answer that may be kept. */
export const fresh = { 'cache-control': 'max-age=60' };
