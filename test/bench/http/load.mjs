import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { others, pinned } from './processes.mjs';

const run = promisify(execFile);
const hasWrk = spawnSync('wrk', ['-v']).error === undefined;
const own = fileURLToPath(new URL('loader.mjs', import.meta.url));

/** What asks: `wrk`, or a slower one of ours where that is not installed. */
export const asker = hasWrk ? 'wrk' : 'loader.mjs (wrk is not installed)';

/** Asks as fast as answers come. Resolves with how many there were, their bytes and how long they took. */
export async function load(url, { connections, seconds }) {
  const ask = hasWrk
    ? ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', url]
    : [process.execPath, own, url, String(connections), String(seconds)];
  const [command, ...args] = pinned ? ['taskset', '-c', others, ...ask] : ask;
  const { stdout } = await run(command, args);
  const result = hasWrk ? parse(stdout) : JSON.parse(stdout);
  if (result.wrong > 0) throw new Error(`${url}: ${result.wrong} wrong answers`);
  return result;
}

const units = { us: 0.001, ms: 1, s: 1000, m: 60_000, B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

function parse(text) {
  const number = (pattern) => {
    const [, value, unit] = pattern.exec(text) ?? [];
    return value === undefined ? 0 : Number(value) * (units[unit] ?? 1);
  };
  return {
    requests: number(/(\d+) requests in/),
    bytes: number(/requests in [^,]+, ([\d.]+)([KMG]?B) read/),
    p50: number(/50%\s+([\d.]+)(us|ms|s|m)\b/),
    p99: number(/99%\s+([\d.]+)(us|ms|s|m)\b/),
    wrong: number(/Non-2xx or 3xx responses: (\d+)/),
  };
}
