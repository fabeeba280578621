// `npm run bench`, `node test/bench/main.mjs retry timeout --json`: see README.md.
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { stores } from './memory.mjs';
import { operations } from './operations/index.mjs';
import { redisOperations } from './redis/operations.mjs';
import { judgeOnRedis, redisTable, spaceTable } from './redis/report.mjs';
import { judge, memoryTable, operationTable, summary } from './report.mjs';

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const json = process.argv.includes('--json');
const wanted = (name) => words.length === 0 || words.some((word) => name.startsWith(word));

/** Runs a script of ours in a process of its own; what it sends is its answer. */
function run(script, ...args) {
  return new Promise((resolve, reject) => {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const child = fork(path, args, { execArgv: ['--expose-gc'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    let answer;
    child.on('message', (message) => (answer = message));
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(answer ?? { error: `${script} ${args.join(' ')} ended with ${signal ?? code}` }));
  });
}

const tell = (text) => {
  if (!json) console.log(text);
};
const results = { node: process.version, operations: [], memory: [], redis: [], failures: [] };

tell(
  `Node ${process.version}, ${availableParallelism()} cores. Median of interleaved rounds; CPU time of one process for each operation.\n`,
);
for (const operation of operations.filter(({ name }) => wanted(name))) {
  const guard = await run('child.mjs', 'guard', operation.name);
  const measured = guard.error ? guard : await run('child.mjs', 'measure', operation.name);
  if (measured.error) {
    results.failures.push(measured.error);
    tell(`${operation.title}\n  ${measured.error}\n`);
    continue;
  }
  const result = { name: operation.name, title: operation.title, rows: measured.rows, verdicts: judge(operation.goals, measured.rows) };
  results.operations.push(result);
  tell(operationTable(result));
}
for (const [name, { title, atMost }] of Object.entries(stores)) {
  if (!wanted(`memory-${name}`)) continue;
  const { bytes, error } = await run('memory.mjs', name);
  if (error) results.failures.push(error);
  else results.memory.push({ name, title, bytes, atMost, met: atMost === undefined || bytes.at(-1) <= atMost });
}
if (results.memory.length > 0) tell(memoryTable(results.memory));
for (const { name, title, goals } of redisOperations.filter((operation) => wanted(operation.name))) {
  const guard = await run('redis/child.mjs', 'guard', name);
  const { rows, busy, error } = guard.error ? guard : await run('redis/child.mjs', 'measure', name);
  if (error) {
    results.failures.push(error);
    tell(`${title}\n  ${error}\n`);
    continue;
  }
  const result = { name, title, rows, busy, verdicts: judgeOnRedis(goals, rows) };
  results.redis.push(result);
  tell(redisTable(result));
}
if (wanted('redis-space')) {
  const { rows, error } = await run('redis/child.mjs', 'space');
  if (error) results.failures.push(error);
  else tell(spaceTable((results.space = rows)));
}
tell(summary(results));
if (json) console.log(JSON.stringify(results, undefined, 2));
process.exitCode = results.failures.length > 0 ? 1 : 0;
