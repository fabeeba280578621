// A real Redis for the suite: the one of PREMIER_TEST_REDIS_URL, or one that is started here. `../support/redis.mjs` sees to it that there is one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import '../support/redis.mjs';

/** Resolves to the URL of a Redis, and to what ends it. */
export async function startRedis() {
  const given = process.env.PREMIER_TEST_REDIS_URL;
  if (given) return { url: given, stop: () => undefined };
  for (let attempt = 1; attempt <= 20; attempt++) {
    const started = await launch(12_000 + Math.floor(Math.random() * 10_000));
    if (started) return started;
  }
  throw new Error('redis-server found no free port');
}

/** Nothing when the port is taken. */
async function launch(port) {
  const folder = mkdtempSync(join(tmpdir(), 'premier-redis-'));
  const args = `--port ${port} --bind 127.0.0.1 --dir ${folder} --appendonly no`.split(' ');
  const child = spawn('redis-server', [...args, '--save', ''], { stdio: ['ignore', 'pipe', 'inherit'] });
  const discard = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once('exit', discard);
  const exited = once(child, 'exit').then(() => false);
  if (await Promise.race([ready(child.stdout), exited])) {
    child.stdout.resume();
    return {
      url: `redis://127.0.0.1:${port}`,
      stop: async () => {
        discard();
        await exited;
      },
    };
  }
  discard();
  return undefined;
}

async function ready(stdout) {
  for await (const line of createInterface({ input: stdout })) if (line.includes('Ready to accept connections')) return true;
  return false;
}
