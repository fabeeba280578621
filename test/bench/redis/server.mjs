import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Redis from 'ioredis';

/** A Redis of this process' own, without persistence, and a connection to ask it how it is. It ends with the process. */
export async function startServer() {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'premier-bench-'));
  const child = spawn('redis-server', [...`--port ${port} --bind 127.0.0.1 --dir ${folder} --appendonly no --save`.split(' '), ''], {
    stdio: 'ignore',
  });
  process.on('exit', () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  await once(child, 'spawn').catch((cause) => {
    throw new Error('redis-server was not found; install it, for example by apt-get install redis-server', { cause });
  });
  const control = new Redis({ port, retryStrategy: () => 20, maxRetriesPerRequest: null });
  control.on('error', () => undefined);
  await control.ping();
  return { port, control: new Control(control) };
}

/** What is asked of the server beside the load. */
class Control {
  #client;

  constructor(client) {
    this.#client = client;
  }

  send(command, ...args) {
    return this.#client.call(command, args);
  }

  /** CPU time of the server so far, in milliseconds. */
  async cpu() {
    const { used_cpu_user: user, used_cpu_sys: system } = await this.#info('cpu');
    return (Number(user) + Number(system)) * 1000;
  }

  async usedMemory() {
    return Number((await this.#info('memory')).used_memory);
  }

  /** How often each command ran since they were last counted, those of scripts too, and how long one took in microseconds. */
  async commands() {
    const counts = Object.entries(await this.#info('commandstats')).map(([line, text]) => {
      const { calls, usec_per_call: usec } = Object.fromEntries(text.split(',').map((part) => part.split('=')));
      return [line.replace('cmdstat_', ''), { calls: Number(calls), usec: Number(usec) }];
    });
    await this.#client.config('RESETSTAT');
    return Object.fromEntries(counts.filter(([name]) => !/^(info|config|ping)/.test(name)));
  }

  async #info(section) {
    const lines = (await this.#client.info(section)).split('\r\n').filter((line) => line.includes(':'));
    return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}
