import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A real Redis of a test's own, that ends with the test process. */
export interface RedisServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Another one after each `restart`. */
  readonly pid: number;
  /** Stops the process where it is: connections stay open and nothing is answered. */
  freeze(): void;
  /** Lets a frozen process go on. */
  thaw(): void;
  /** Ends the process as a crash does. */
  kill(): Promise<void>;
  /** Starts the process again on the same port, without its data. */
  restart(): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
  /** The reply to a command, sent over a connection of its own. */
  command(...args: readonly string[]): Promise<unknown>;
  /** Records the commands that others send. */
  monitor(): Promise<RedisMonitor>;
}

/** What MONITOR has printed so far. A line may come a moment after the reply to its command: a further `command('PING')` waits for it. */
export interface RedisMonitor {
  lines(): readonly string[];
  stop(): void;
}

/** How a Redis is started. */
export interface RedisOptions {
  /** Further arguments of `redis-server`, which win over ours: `['--maxmemory', '1mb']`. */
  readonly args?: readonly string[];
  /** A free one by default. */
  readonly port?: number;
  /** The text of its config file, which it may rewrite. Empty by default. */
  readonly config?: string;
}

const host = '127.0.0.1';
const missing =
  'redis-server was not found: install it (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis; others: https://redis.io/downloads)';

const discards = new Set<() => void>();
process.on('exit', () => {
  for (const discard of discards) discard();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

/** Starts a Redis without persistence, and resolves when it answers. */
export async function startRedis({ args = [], port, config = '' }: RedisOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'premier-redis-'));
  writeFileSync(join(folder, 'redis.conf'), config);
  let child: ChildProcess | undefined;
  const discard = () => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  discards.add(discard);
  const launch = async (port: number) => {
    child = spawnRedis(folder, port, args);
    await answering(child, folder, port, args);
    return port;
  };
  const stop = async () => {
    if (child) await end(child);
    discard();
    discards.delete(discard);
  };
  try {
    const taken = await (port === undefined ? onFreePort(launch) : launch(port));
    return serverOf(
      taken,
      args,
      () => child as ChildProcess,
      () => launch(taken),
      stop,
    );
  } catch (error) {
    await stop();
    throw error;
  }
}

function serverOf(
  port: number,
  args: readonly string[],
  child: () => ChildProcess,
  launch: () => Promise<unknown>,
  stop: () => Promise<void>,
): RedisServer {
  const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
    if (!child().kill(name)) throw new Error(`the Redis on port ${port} does not run`);
  };
  return {
    host,
    port,
    url: `redis://${host}:${port}`,
    get pid() {
      return child().pid as number;
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    kill: () => end(child()),
    restart: async () => {
      await end(child());
      await launch();
    },
    stop,
    command: (...command) => request(port, [...login(args), command]),
    monitor: () => monitor(port, args),
  };
}

/** Resolves when the condition holds. One that throws does not hold yet. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  let cause: unknown;
  while (Date.now() < deadline) {
    try {
      if (await holds()) return;
    } catch (error) {
      cause = error;
    }
    await sleep(20);
  }
  throw new Error(`waited in vain for ${what}`, { cause });
}

class PortTakenError extends Error {}

/** Tries ports below those of outgoing connections, and so is the second port of a cluster node, which is 10000 higher. */
async function onFreePort(launch: (port: number) => Promise<number>): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = 12_000 + Math.floor(Math.random() * 10_000);
    try {
      return await launch(port);
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === 20) throw error;
    }
  }
}

function spawnRedis(folder: string, port: number, args: readonly string[]): ChildProcess {
  const log = openSync(join(folder, 'redis.log'), 'w');
  const ours = `--port ${port} --bind ${host} --dir ${folder} --protected-mode no --loglevel warning --appendonly no --repl-diskless-sync-delay 0`;
  const child = spawn('redis-server', [join(folder, 'redis.conf'), ...ours.split(' '), '--save', '', ...args], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  return child;
}

async function answering(child: ChildProcess, folder: string, port: number, args: readonly string[]): Promise<void> {
  await once(child, 'spawn').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new Error(missing) : error;
  });
  const exited = once(child, 'exit').then(() => false);
  const deadline = Date.now() + 20_000;
  while (runs(child) && Date.now() < deadline) {
    if (await Promise.race([exited, isAnswering(child, port, args)])) return;
    await sleep(3);
  }
  await end(child);
  const log = readFileSync(join(folder, 'redis.log'), 'utf8').trimEnd();
  const problem = `redis-server did not start on port ${port}: ${log.split('\n').slice(-3).join(' | ')}`;
  throw log.includes('Address already in use') ? new PortTakenError(problem) : new Error(problem);
}

/** Whether it is this process that answers on the port, not one that took the port before. */
async function isAnswering(child: ChildProcess, port: number, args: readonly string[]): Promise<boolean> {
  try {
    return String(await request(port, [...login(args), ['INFO', 'server']])).includes(`process_id:${child.pid}\r\n`);
  } catch {
    return false;
  }
}

const runs = (child: ChildProcess): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null;

async function end(child: ChildProcess): Promise<void> {
  if (!runs(child)) return;
  const gone = once(child, 'exit');
  child.ref();
  child.kill('SIGKILL');
  await gone;
}

function login(args: readonly string[]): string[][] {
  const password = args[args.indexOf('--requirepass') + 1];
  return args.includes('--requirepass') && password !== undefined ? [['AUTH', password]] : [];
}

const encode = (commands: readonly (readonly string[])[]): string =>
  commands.map((args) => [`*${args.length}\r\n`, ...args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`)].join('')).join('');

/** The reply to the last of some commands; rejects with the first error. */
function request(port: number, commands: readonly (readonly string[])[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      const replies = list(bytes, 0, commands.length)?.[0];
      if (!replies) return;
      socket.destroy();
      const error = replies.find((reply) => reply instanceof Error);
      if (error) reject(error);
      else resolve(replies.at(-1));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`the Redis on port ${port} closed the connection before it replied`)));
    socket.write(encode(commands));
  });
}

function monitor(port: number, args: readonly string[]): Promise<RedisMonitor> {
  return new Promise((resolve, reject) => {
    const commands = [...login(args), ['MONITOR']];
    const socket = connect(port, host).setEncoding('utf8');
    let text = '';
    const printed = () => text.split('\r\n').slice(0, -1);
    socket.on('data', (chunk: string) => {
      text += chunk;
      const refused = printed()
        .slice(0, commands.length)
        .find((line) => line.startsWith('-'));
      if (refused !== undefined) reject(new Error(refused.slice(1)));
      if (printed().length < commands.length) return;
      socket.unref();
      resolve({
        lines: () =>
          printed()
            .slice(commands.length)
            .map((line) => line.slice(1)),
        stop: () => socket.destroy(),
      });
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`the Redis on port ${port} closed the connection before it replied`)));
    socket.write(encode(commands));
  });
}

/** A reply and where the next one begins; nothing while it is incomplete. */
type Parsed<T> = readonly [value: T, next: number] | undefined;

function parse(bytes: Buffer, from: number): Parsed<unknown> {
  const end = bytes.indexOf('\r\n', from);
  if (end === -1) return undefined;
  const text = bytes.toString('utf8', from + 1, end);
  const next = end + 2;
  const type = String.fromCharCode(bytes[from] as number);
  if (type === '+') return [text, next];
  if (type === '-') return [new Error(text), next];
  if (type === ':') return [Number(text), next];
  const length = Number(text);
  if (length === -1) return [null, next];
  if (type === '*') return list(bytes, next, length);
  const after = next + length + 2;
  return bytes.length < after ? undefined : [bytes.toString('utf8', next, next + length), after];
}

function list(bytes: Buffer, from: number, length: number): Parsed<unknown[]> {
  const values: unknown[] = [];
  let next = from;
  while (values.length < length) {
    const parsed = parse(bytes, next);
    if (!parsed) return undefined;
    values.push(parsed[0]);
    next = parsed[1];
  }
  return [values, next];
}
