import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** A `premier` that runs. */
export interface Running {
  readonly child: ChildProcess;
  /** Everything it wrote until now. */
  readonly written: () => string;
  /** Waits until it has written this, or fails once it has ended without. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** Its exit code; the signal that ended it otherwise. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Starts `premier` with these arguments; it ends with the test. */
export function premier(t: TestContext, args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const script = fileURLToPath(new URL('serveChild.js', import.meta.url));
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  let written = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      written += text;
      for (const listener of listeners) listener();
    });
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  return {
    child,
    ended,
    written: () => written,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(written);
          if (!found) return;
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        look();
        setTimeout(() => reject(new Error(`not said within 60 s: ${pattern}\n${written}`)), 60_000).unref();
        void ended.then((code) => reject(new Error(`ended with ${code} and never said ${pattern}:\n${written}`)));
      }),
  };
}

/** Starts `premier serve` on a free port and waits until it listens. */
export async function serving(
  t: TestContext,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<Running & { readonly url: string }> {
  const running = premier(t, ['serve', ...args, '--port', '0'], env);
  const [, url] = await running.said(/listens on (http:\S+),/);
  return { ...running, url: url as string };
}

/** A file in a folder of its own that is gone after the test. */
export function fileOf(t: TestContext, text: string): { readonly path: string; write(text: string): void } {
  const folder = mkdtempSync(join(tmpdir(), 'premier-serve-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'gateway.yaml');
  const write = (given: string): void => writeFileSync(path, given);
  write(text);
  return { path, write };
}

/** A server behind the gateway, closed after the test. */
export async function upstream(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** One request on a connection of its own, so that every worker gets some. It may be awaited late: a failure waits with it. */
export function fetched(url: string, within?: number): Promise<Fetched> {
  const answer = new Promise<Fetched>((resolve, reject) => {
    const signal = within === undefined ? {} : { signal: AbortSignal.timeout(within) };
    get(url, { agent: false, ...signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject).on('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
    }).on('error', reject);
  });
  answer.catch(() => undefined);
  return answer;
}

/** What `fetched` brings. */
interface Fetched {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

/** Waits until nobody takes requests any more. A connection that the primary of a cluster took and no worker will is never answered. */
export async function refused(url: string): Promise<void> {
  await until(
    () => fetched(`${url}/health`, 500).catch(() => undefined),
    (answer) => answer === undefined,
  );
}

/** Asks again and again until the answer fits: for what another process does in its own time. */
export async function until<T>(ask: () => T | Promise<T>, fits: (answer: T) => boolean, within: number = 30_000): Promise<T> {
  const end = performance.now() + within;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (performance.now() > end) throw new Error(`not within ${within} ms; the last answer was ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The processes that a process has started, as Linux tells it. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}
