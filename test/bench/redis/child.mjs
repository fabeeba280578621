// One operation on Redis in a process of its own, with a server of its own: `guard` proves that every candidate works, `measure` times them.
import { loadavg } from 'node:os';
import { clients } from './clients.mjs';
import { measureOnRedis } from './measure.mjs';
import { redisOperations } from './operations.mjs';
import { startServer } from './server.mjs';
import { bytesPerKey } from './space.mjs';

const [mode, name] = process.argv.slice(2);
const operation = redisOperations.find((one) => one.name === name);
const rounds = 15;

async function guard({ port }) {
  for (const [candidate, made] of Object.entries(operation.candidates)) {
    try {
      await operation.check(made, await clients[made.client](port));
    } catch (error) {
      throw new Error(`${operation.name}: ${candidate} does not work: ${error.message}`, { cause: error });
    }
  }
  return { ok: true };
}

async function time({ port, control }) {
  const [busy] = loadavg();
  const calls = [];
  for (const [candidate, { client, open }] of Object.entries(operation.candidates))
    calls.push([candidate, await open(await clients[client](port), operation.load)]);
  return { rows: await measureOnRedis(calls, control, rounds), busy };
}

let report;
try {
  const server = await startServer();
  if (mode === 'space') report = { rows: await bytesPerKey(server) };
  else report = mode === 'guard' ? await guard(server) : await time(server);
} catch (error) {
  report = { error: error.stack };
}
process.send(report, () => process.exit(0));
