import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { createGateway, type CreateOptions, type Gateway, GatewayConfig, type GatewayOptions } from '../../../src/gateway/index.js';
import { FakeClock } from '../../../src/testing/fakeClock.js';

/** The YAML of a document, as a user would copy it. */
export function documented(name: string): string {
  return readFileSync(`test/gateway/golden/${name}.yaml`, 'utf8');
}

/** The same for an app: its `servers` taken out, as the two exclude each other. */
export function forApp(name: string): GatewayConfig {
  return GatewayConfig.fromText(documented(name).replace(/^ *servers:.*\n/m, ''), { source: `${name}.yaml` });
}

/** A line of the log. */
export type Line = Readonly<Record<string, unknown>>;

/** A gateway in front of an app that a test writes, with a clock that only the test moves. */
export interface Documented {
  readonly gateway: Gateway;
  readonly clock: FakeClock;
  /** When the app was asked, in seconds since the start, and for what. */
  readonly asked: { readonly at: number; readonly path: string; readonly method: string }[];
  /** Asks as the client at this address. */
  ask(path: string, init?: RequestInit, client?: string): Promise<Response>;
  /** Asks several times; the statuses in order. */
  statuses(times: number, path: string, init?: RequestInit, client?: string): Promise<number[]>;
  readonly lines: () => readonly Line[];
}

/** What the app answers; `nth` counts from 0. */
export type AppScript = (request: Request, nth: number) => Response | Promise<Response>;

/** Opens a gateway in front of an app. */
export async function inFrontOfApp(
  t: TestContext,
  config: GatewayConfig | GatewayOptions,
  script: AppScript = () => new Response('ok'),
  options: CreateOptions = {},
): Promise<Documented> {
  const clock = new FakeClock();
  const asked: { at: number; path: string; method: string }[] = [];
  let text = '';
  const fetch = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    return script(request, asked.push({ at: clock.monotonic() / 1000, path: pathname + search, method: request.method }) - 1);
  };
  const logger = { write: (line: string) => void (text += line) };
  const gateway = await createGateway(config, { app: { fetch }, clock, logger, ...options });
  t.after(() => gateway.close({ grace: 0 }));
  const ask: Documented['ask'] = (path, init, client = '192.0.2.1') =>
    gateway.fetch(new Request(`http://gateway.test${path}`, init), { client });
  return {
    gateway,
    clock,
    asked,
    ask,
    statuses: async (times, path, init, client) => {
      const all: number[] = [];
      for (let i = 0; i < times; i++) {
        const answer = await ask(path, init, client);
        all.push(answer.status);
        await answer.text();
      }
      return all;
    },
    lines: () => linesOf(text),
  };
}

/** The lines of a log. */
export function linesOf(text: string): readonly Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** The error of an answer, whose correlation id is that of its header. */
export async function errorOf(answer: Response): Promise<{ readonly type: string; readonly message: string }> {
  const { error, ...rest } = (await answer.json()) as { error: { type: string; message: string; correlation_id: string } };
  if (Object.keys(rest).length > 0) throw new Error(`an error answer holds more than an error: ${Object.keys(rest).join()}`);
  const { correlation_id: id, ...told } = error;
  if (id !== answer.headers.get('x-correlation-id')) throw new Error(`the error says ${id}`);
  return told;
}
