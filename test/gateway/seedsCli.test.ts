import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { send } from '../support/gateways.js';
import { documented } from './goldenApps/documents.js';
import { fileOf, premier, serving, upstream } from './serveProcess.js';

interface Ended {
  readonly code: number | NodeJS.Signals;
  readonly out: string;
  readonly err: string;
}

/** Runs `premier` as a process until it ends, and keeps what it wrote apart. */
async function run(t: TestContext, ...args: string[]): Promise<Ended> {
  const { child, ended } = premier(t, args);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (text: string) => (out += text));
  child.stderr?.on('data', (text: string) => (err += text));
  return { code: await ended, out, err };
}

const imported = (name: string): string => readFileSync(`test/gateway/golden/import/${name}.yaml`, 'utf8');

describe('premier on the files of the documents', { concurrency: 4 }, () => {
  for (const [name, counts] of [
    ['readme-dict', '3 paths, 0 upstreams: for an app in code'],
    ['readme-policies', '3 paths, 0 upstreams: for an app in code'],
    ['readme-production', '2 paths, 1 upstream'],
    ['readme-websocket', '1 path, 0 upstreams: for an app in code'],
  ] as const)
    test(`check finds nothing wrong with ${name}`, async (t) => {
      const file = `test/gateway/golden/${name}.yaml`;
      assert.deepEqual(await run(t, 'check', file), { code: 0, out: `${file}: ok (${counts})\n`, err: '' });
    });

  test('check tells every mistake with its place and what was meant', async (t) => {
    const { path } = fileOf(
      t,
      documented('readme-production')
        .replace('log_threshold: 0.1', 'log_treshold: 0.1')
        .replace("'sliding_window'", "'sliding'")
        .replace('max_attempts: 3', 'max_attempts: three'),
    );
    const { code, out } = await run(t, 'check', path);
    assert.equal(code, 1);
    const lines = out.trimEnd().split('\n');
    const places = lines.map((line) => line.replace(path, 'FILE'));
    assert.equal(places.length, 3, out);
    assert.match(places[0] as string, /^FILE:14:22: .*sliding_window/);
    assert.match(places[1] as string, /^FILE:22:25: .*max_attempts/);
    assert.match(places[2] as string, /^FILE:30:11: .*log_treshold.*log_threshold/);
  });

  test('explain tells the pattern and the stages in their order', async (t) => {
    const file = 'test/gateway/golden/readme-production.yaml';
    const stages = async (...args: string[]): Promise<string[]> => (await run(t, 'explain', file, ...args)).out.trimEnd().split('\n');
    assert.deepEqual(await stages('GET', '/api/users/1'), [
      '/api/users/*',
      'rate_limit',
      'cache',
      'timeout',
      'retry',
      'circuit_breaker',
      'monitoring',
    ]);
    assert.deepEqual((await stages('GET', '/api/public/../admin/x'))[0], '/api/admin/*');
    assert.deepEqual((await stages('GET', '/else')).slice(1), ['rate_limit', 'timeout', 'monitoring']);
  });

  test('the schema knows every key of the documents', async (t) => {
    const { code, out } = await run(t, 'schema');
    assert.equal(code, 0);
    JSON.parse(out);
    const keys = new Set(
      documented('readme-production')
        .match(/^ *(- )?[a-z_]+(?=:)/gm)
        ?.map((key) => key.replace(/[ -]+/, '')),
    );
    assert.ok(keys.size > 20);
    for (const key of keys) assert.ok(out.includes(`"${key}"`), key);
  });

  test('init writes a file that checks and leaves it alone the second time', async (t) => {
    const path = join(dirname(fileOf(t, '').path), 'new.yaml');
    assert.equal((await run(t, 'init', path)).code, 0);
    const written = readFileSync(path, 'utf8');
    assert.match(written, /#/);
    assert.equal((await run(t, 'check', path)).code, 0);
    const again = await run(t, 'init', path);
    assert.equal(again.code, 1);
    assert.match(again.err, /is there already/);
    assert.equal(readFileSync(path, 'utf8'), written);
  });

  test("the second document's routes are imported, and then served with their limits", async (t) => {
    const url = await upstream(t, (request, response) => response.end(`${request.method} ${request.url}`));
    const old = imported('router').replaceAll(/http:\/\/[\w-]+:\d+/g, url);
    const { path } = fileOf(t, old);
    const { code, out, err } = await run(t, 'import', path);
    assert.equal(code, 0, err);
    assert.match(err, /^note: /);
    assert.equal(readFileSync(path, 'utf8'), old);
    const made = join(dirname(path), 'made.yaml');
    writeFileSync(made, out);
    const { url: gateway } = await serving(t, [made]);
    const first = await send(`${gateway}/api/v1/agents?a=1`, { headers: { 'X-Client-ID': 'ann' } });
    assert.deepEqual([first.status, first.body], [200, 'GET /api/v1/agents?a=1']);
    assert.equal(first.headers['x-ratelimit-remaining-minute'], '59');
    assert.equal(first.headers['x-ratelimit-limit-hour'], '1000');
    assert.equal(first.headers['x-cache'], 'MISS');
    assert.equal(
      (await send(`${gateway}/api/v1/agents?a=1`, { headers: { 'X-Client-ID': 'bob' } })).headers['x-ratelimit-remaining-minute'],
      '59',
    );
    assert.equal((await send(`${gateway}/api/v1/threads`, { method: 'POST', body: '{}' })).body, 'POST /api/v1/threads');
    assert.equal((await send(`${gateway}/api/v1/threads`)).status, 404);
    for (let i = 1; i < 60; i++) await send(`${gateway}/api/v1/agents`, { headers: { 'X-Client-ID': 'ann' } });
    assert.equal((await send(`${gateway}/api/v1/agents`, { headers: { 'X-Client-ID': 'ann' } })).status, 429);
  });

  test("the fourth document's services are imported, and what comes later is said with its place", async (t) => {
    const { path } = fileOf(t, imported('services'));
    const { code, out, err } = await run(t, 'import', path);
    assert.equal(code, 0);
    assert.match(err, /later version/);
    const made = join(dirname(path), 'made.yaml');
    writeFileSync(made, out);
    const checked = await run(t, 'check', made);
    assert.equal(checked.code, 1);
    for (const line of checked.out.trimEnd().split('\n')) assert.match(line, /made\.yaml:\d+:\d+: .*(later version|MASTER_KEY)/);
  });
});
