// Runs the suite of this folder, against the built package, on Node, Bun and Deno, or on those that are named: `node test/runtimes/run.mjs bun`.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startRedis } from './redisServer.mjs';

process.chdir(fileURLToPath(new URL('../..', import.meta.url)));

/** The versions that the suite is true for, from npm. */
const versions = { bun: '1.4.5', deno: '2.9.6' };
const folder = '.build/runtimes';
const areas = ['policies', 'decorators', 'providers', 'gateway', 'doors', 'frameworks', 'outgoing'];
/** How each runtime runs a file. */
const commands = { node: [process.execPath], bun: [binary('bun'), 'run'], deno: [binary('deno'), 'run', '--allow-all', '--quiet'] };

function binary(name) {
  return join(folder, 'node_modules/.bin', name);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

function install(name) {
  const manifest = join(folder, 'node_modules', name, 'package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === versions[name]) return;
  mkdirSync(folder, { recursive: true });
  const args = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel', 'error', `${name}@${versions[name]}`];
  const { status, error } = spawnSync('npm', args, { stdio: 'inherit' });
  if (status !== 0) fail(`${name} ${versions[name]} could not be installed by npm${error ? `: ${error.message}` : ''}`);
}

/** The decorators are in TypeScript, which Bun and Deno run as it is. Node gets JavaScript. */
function compile() {
  const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'test/runtimes'], { stdio: 'inherit' });
  if (status !== 0) fail('test/runtimes/decorators.ts does not compile');
}

/** Runs one area, and resolves to its results and to what else is wrong. A process that does not end is something wrong. */
function runArea(name, area, env) {
  const [command, ...args] = [...commands[name], 'test/runtimes/main.mjs', area];
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = setTimeout(() => child.kill('SIGKILL'), 120_000);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => void (text += chunk));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ results: [], trouble: error.message }));
    child.on('close', (code, signal) => {
      clearTimeout(end);
      const lines = text.split('\n');
      const results = lines.filter((line) => line.startsWith('@@')).map((line) => JSON.parse(line.slice(2)));
      const rest = lines.filter((line) => !line.startsWith('@@') && line !== '').join('\n');
      if (signal !== null) resolve({ results, trouble: `${rest}\nits process did not end` });
      else if (code !== 0) resolve({ results, trouble: `${rest}\nits process ended with ${code}` });
      else resolve({ results, trouble: results.length === 0 ? `${rest}\nnothing was checked` : undefined });
    });
  });
}

/** Prints an area, and returns how many of its checks failed. */
function report(area, { results, trouble }) {
  const failed = results.filter(({ error }) => error !== undefined);
  const not = results.filter(({ reason }) => reason !== undefined);
  const ms = results.reduce((sum, one) => sum + one.ms, 0);
  console.log(
    `  ${area}: ${results.length - failed.length - not.length} work${not.length === 0 ? '' : `, ${not.length} cannot`} (${ms} ms)`,
  );
  for (const { name, reason, seen } of not) console.log(`    cannot: ${name}\n      ${reason} (${seen})`);
  for (const { name, error } of failed) console.log(`    FAILED: ${name}\n${error.replace(/^/gm, '      ')}`);
  if (trouble !== undefined) console.log(`    FAILED: ${trouble.trim().replaceAll('\n', '\n      ')}`);
  return failed.length + (trouble === undefined ? 0 : 1);
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(commands, name));
if (unknown.length > 0) fail(`${unknown.join(', ')}: not among ${Object.keys(commands).join(', ')}`);
if (!existsSync('dist/index.mjs')) fail('there is no dist: npm run build');

const names = wanted.length === 0 ? Object.keys(commands) : wanted;
for (const name of names) if (Object.hasOwn(versions, name)) install(name);
if (names.includes('node')) compile();

const redis = await startRedis();
const env = { ...process.env, PREMIER_TEST_REDIS_URL: redis.url, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' };
let failures = 0;
try {
  for (const name of names) {
    console.log(name === 'node' ? `node ${process.versions.node}` : `${name} ${versions[name]}`);
    for (const area of areas) failures += report(area, await runArea(name, area, env));
  }
} finally {
  await redis.stop();
}
if (failures > 0) fail(`${failures} failed`);
