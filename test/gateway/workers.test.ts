import assert from 'node:assert/strict';
import { request, type ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { childrenOf, fetched, fileOf, premier, refused, type Running, serving, until, upstream } from './serveProcess.js';

const workersOf = ({ child }: Running): number[] => childrenOf(child.pid as number);
const countOf = (metrics: string, pattern: RegExp): number =>
  metrics
    .split('\n')
    .filter((line) => pattern.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('premier serve --workers', { concurrency: 2 }, () => {
  test('a quota is one quota for all workers, exactly', async (t) => {
    const backend = await upstream(t, (_, response) => response.end('ok'));
    const { path } = fileOf(
      t,
      `premier:
  servers: [${backend}]
  paths:
    - { pattern: /fixed, features: { rate_limit: { quota: 20, duration: 60, key: path } } }
    - { pattern: /sliding, features: { rate_limit: { quota: 15, duration: 60, algorithm: sliding_window } } }
    - { pattern: /both, features: { rate_limit: { limits: [{ quota: 10, duration: 60 }, { quota: 7, duration: 3600 }] } } }
`,
    );
    const running = await serving(t, [path, '--workers', '3', '--log-level', 'silent']);
    assert.equal(workersOf(running).length, 3);
    assert.match(running.written(), /3 workers; limits are counted by the primary process.*set store\.redis/);
    for (const [at, quota] of [
      ['fixed', 20],
      ['sliding', 15],
      ['both', 7],
    ] as const) {
      const statuses = (await Promise.all(Array.from({ length: 60 }, () => fetched(`${running.url}/${at}`)))).map(({ status }) => status);
      assert.deepEqual(
        [statuses.filter((status) => status === 200).length, statuses.filter((status) => status === 429).length],
        [quota, 60 - quota],
        at,
      );
    }
  });

  test('/metrics sums over all workers, and what a dead one counted stays counted', async (t) => {
    const backend = await upstream(t, (_, response) => response.end('ok'));
    const { path } = fileOf(t, `premier:\n  servers: [${backend}]\n  paths: [{ pattern: /x }]\n`);
    const running = await serving(t, [path, '--workers', '2', '--log-level', 'silent']);
    const { url, said } = running;
    await Promise.all(Array.from({ length: 40 }, () => fetched(`${url}/x`)));
    const total = async (): Promise<number> => countOf((await fetched(`${url}/metrics`)).text, /^http_requests_total\{.*endpoint="\/x"/);
    // At its first scrape a worker may be too slow to be heard.
    await until(total, (count) => count === 40);
    assert.equal(await total(), 40, 'whichever worker is asked');
    const [killed] = workersOf(running);
    process.kill(killed as number, 'SIGKILL');
    await said(new RegExp(`Worker ${killed} ended \\(SIGKILL\\); another one starts`));
    assert.equal(await total(), 40);
    await said(/Worker \d+ serves/);
    const now = workersOf(running);
    assert.equal(now.length, 2);
    assert.ok(!now.includes(killed as number));
    await Promise.all(Array.from({ length: 10 }, () => fetched(`${url}/x`)));
    await until(total, (count) => count === 50);
    assert.ok(countOf((await fetched(`${url}/metrics`)).text, /^upstream_up\{/) <= 1, 'a gauge is no sum');
  });

  test('a worker that is told to end by itself finishes its requests and is replaced', async (t) => {
    const waiting: ServerResponse[] = [];
    const backend = await upstream(t, ({ url }, response) => (url === '/slow' ? waiting.push(response) : response.end('ok')));
    const { path } = fileOf(t, `premier:\n  servers: [${backend}]\n`);
    const running = await serving(t, [path, '--workers', '2', '--log-level', 'silent']);
    const slow = Array.from({ length: 4 }, () => fetched(`${running.url}/slow`));
    await until(
      () => waiting.length,
      (count) => count === 4,
    );
    const [first] = workersOf(running) as [number];
    process.kill(first, 'SIGTERM');
    for (let i = 0; i < 20; i++) assert.equal((await fetched(running.url)).text, 'ok', 'the other one serves meanwhile');
    for (const response of waiting) response.end('done');
    for (const { text } of await Promise.all(slow)) assert.equal(text, 'done');
    await running.said(/Worker \d+ serves/);
    assert.equal(workersOf(running).includes(first), false);
  });

  test('a reload reaches all workers; a bad file is one line, and a worker that starts later has the last good one', async (t) => {
    const [a, b] = [await upstream(t, (_, response) => response.end('a')), await upstream(t, (_, response) => response.end('b'))];
    const file = fileOf(t, `premier:\n  servers: [${a}]\n`);
    const running = await serving(t, [file.path, '--workers', '3']);
    const { url, child, said, written } = running;
    const answers = async (): Promise<string> => {
      const all = await Promise.all(Array.from({ length: 30 }, () => fetched(url)));
      return [...new Set(all.map(({ text }) => text))].toSorted().join();
    };
    assert.equal(await answers(), 'a');
    file.write(`premier:\n  servers: [${b}]\n`);
    child.kill('SIGHUP');
    await until(answers, (text) => text === 'b');
    file.write('premier:\n  wrong: 1\n');
    child.kill('SIGHUP');
    await said(/not reloaded.*gateway\.yaml:2:3: /);
    for (const pid of workersOf(running)) process.kill(pid, 'SIGKILL');
    await until(
      () => (written().match(/Worker \d+ serves/g) ?? []).length,
      (count) => count === 3,
    );
    assert.equal(await answers(), 'b');
    assert.equal(
      written()
        .split('\n')
        .filter((line) => line.includes('not reloaded')).length,
      1,
    );
  });

  test('SIGTERM lets requests under way finish in every worker', async (t) => {
    const waiting: ServerResponse[] = [];
    const backend = await upstream(t, (_, response) => waiting.push(response));
    const { path } = fileOf(t, `premier:\n  servers: [${backend}]\n`);
    const running = await serving(t, [path, '--workers', '2', '--log-level', 'silent']);
    const answers = Array.from({ length: 8 }, () => fetched(running.url));
    await until(
      () => waiting.length,
      (count) => count === 8,
    );
    running.child.kill('SIGTERM');
    await refused(running.url);
    for (const response of waiting) response.end('done');
    for (const { text } of await Promise.all(answers)) assert.equal(text, 'done');
    assert.equal(await running.ended, 0);
  });

  test('a second signal ends all of them at once', async (t) => {
    const waiting: ServerResponse[] = [];
    const backend = await upstream(t, (_, response) => waiting.push(response));
    const { path } = fileOf(t, `premier:\n  servers: [${backend}]\n  grace: 60\n`);
    const running = await serving(t, [path, '--workers', '2', '--log-level', 'silent']);
    const workers = workersOf(running);
    request(running.url)
      .on('error', () => undefined)
      .end();
    await until(
      () => waiting.length,
      (count) => count === 1,
    );
    running.child.kill('SIGTERM');
    await refused(running.url);
    running.child.kill('SIGTERM');
    assert.equal(await running.ended, 1);
    await until(
      () => workers.some(alive),
      (some) => !some,
    );
  });

  test('workers end with their primary, however it ends', async (t) => {
    const running = await serving(t, ['--workers', '2']);
    const workers = workersOf(running);
    assert.equal(workers.length, 2);
    running.child.kill('SIGKILL');
    await until(
      () => workers.some(alive),
      (some) => !some,
    );
  });

  test('what keeps all from starting is told once, and nothing is left running', async (t) => {
    const taken = new URL(await upstream(t, (_, response) => response.end())).port;
    const port = premier(t, ['serve', '--workers', '3', '--port', taken]);
    assert.equal(await port.ended, 1);
    assert.match(port.written().trim(), new RegExp(`^premier serve: port ${taken} of 127\\.0\\.0\\.1 is in use[^\\n]*$`));
    const bad = premier(t, ['serve', fileOf(t, 'premier:\n  wrong: 1\n').path, '--workers', '3']);
    assert.equal(await bad.ended, 1);
    assert.equal(bad.written().match(/gateway\.yaml:2:3: /g)?.length, 1);
  });

  test('one admin token is good for all workers', async (t) => {
    const { url, written } = await serving(t, ['--workers', '3']);
    const [, token] = /Admin token[^:]*: (\S+)/.exec(written()) ?? [];
    const name = encodeURIComponent('/broken');
    const reset = (): Promise<number> =>
      fetch(`${url}/circuit-breakers/${name}/reset`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, connection: 'close' },
      }).then(({ status }) => status);
    const statuses = await Promise.all(Array.from({ length: 12 }, reset));
    // Where no request has come by yet, there is no such circuit: 404.
    assert.deepEqual(
      statuses.filter((status) => status === 401 || status === 403),
      [],
    );
  });
});
