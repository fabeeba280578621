// A test runner so small that it runs alike on Node, Bun and Deno: `node:test` does not exist in Bun outside of `bun test`.
import { once } from 'node:events';
import { createServer } from 'node:http';

/** The runtime that this runs on: `node`, `bun` or `deno`. */
export const runtime = process.versions.bun ? 'bun' : process.versions.deno ? 'deno' : 'node';

const patience = 20_000;
/** What is known to fail may do so by doing nothing. */
const littlePatience = 1500;
const checks = [];

/**
 * Names what has to hold. `run` gets a function that takes what has to be undone afterwards, last first. `not` tells of each runtime that
 * cannot do it why: there it has to fail, so that the list stays true.
 */
export const check = (name, run, not = {}) => void checks.push({ name, run, reason: not[runtime] });

/** Runs them, one after the other, and tells each result as a line for `run.mjs`. */
export async function runChecks() {
  for (const { name, run, reason } of checks) {
    const undo = [];
    const began = performance.now();
    const failed = await inTime(() => run((action) => undo.push(action)), reason === undefined ? patience : littlePatience);
    const left = await inTime(() => undoAll(undo), patience);
    const ms = Math.round(performance.now() - began);
    if (reason === undefined) tell({ name, error: failed ?? left, ms });
    else if (failed === undefined) tell({ name, error: `works now: take ${runtime} off its list of what does not`, ms });
    else tell({ name, reason, seen: failed.split('\n')[0], ms });
  }
}

const tell = (result) => console.log(`@@${JSON.stringify(result)}`);

/** Undoes all, whatever goes wrong, and rejects with what went wrong first. */
async function undoAll(undo) {
  const failures = [];
  for (const action of undo.toReversed()) await settled(action).catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

const settled = async (action) => action();

/** What went wrong, as a text; nothing when nothing did. */
async function inTime(run, ms) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not over within ${ms / 1000} s`)), ms);
  });
  try {
    await Promise.race([run(), late]);
    return undefined;
  } catch (error) {
    return textOf(error);
  } finally {
    clearTimeout(timer);
  }
}

function textOf(error) {
  if (!(error instanceof Error)) return `${String(error)} was thrown`;
  const stack = error.stack ?? '';
  return stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
}

/** Opens a server of `node:http` for the length of a check, and resolves to its URL. */
export async function open(undo, server) {
  if (typeof server === 'function') return open(undo, createServer(server));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A URL where nobody listens. */
export async function deadUrl() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}
