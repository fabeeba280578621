import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { request, type ServerResponse } from 'node:http';
import { describe, test, type TestContext } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { Io } from '../../src/cli/io.js';
import { run } from '../../src/cli/mainCommands.js';
import { servePlan } from '../../src/cli/servePlan.js';
import { GatewayConfig } from '../../src/gateway/config/gatewayConfig.js';
import { fetched, fileOf, premier, refused, serving, until, upstream } from './serveProcess.js';

interface Told {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function told(...args: string[]): Promise<Told> {
  const [out, err]: [string[], string[]] = [[], []];
  const io: Io = { out: (text) => out.push(text), err: (text) => err.push(text), cwd: process.cwd(), env: {} };
  return { code: await run(args, io), out: out.join('\n'), err: err.join('\n') };
}

const echoPath = (t: TestContext): Promise<string> => upstream(t, ({ url }, response) => response.end(url));

describe('the command line', () => {
  test('an unknown command is refused with the one that was meant', async () => {
    const { code, err } = await told('sreve');
    assert.equal(code, 2);
    assert.match(err, /no command 'sreve'; did you mean 'serve'\?/);
  });

  test('help and version are told', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.deepEqual(await told('--version'), { code: 0, out: version, err: '' });
    const { code, out } = await told('--help');
    assert.equal(code, 0);
    for (const name of ['serve', 'check', 'explain', 'init', 'import', 'schema', 'keys']) assert.match(out, new RegExp(`premier ${name}`));
    assert.match((await told('serve', '--help')).out, /--workers N/);
    assert.match((await told('help', 'serve')).out, /--workers N/);
    assert.equal((await told()).code, 2);
  });

  test('arguments of serve that make no sense are refused by name', async () => {
    for (const [args, message] of [
      [['--port', 'x'], /--port must be a whole number from 0 to 65535 \(got 'x'\)/],
      [['--workers', '0'], /--workers must be/],
      [['--log-level', 'loud'], /--log-level must be one of trace, debug, info/],
      [['--watch'], /--watch needs a file/],
      [['a.yaml', 'b.yaml'], /takes one file/],
      [['--prot', '1'], /--prot/],
    ] as const) {
      const { code, err } = await told('serve', ...args);
      assert.equal(code, 2);
      assert.match(err, message);
    }
  });

  test('API keys say when they come', async () => {
    const { code, err } = await told('keys', 'list');
    assert.equal(code, 2);
    assert.match(err, /later version/);
  });
});

describe('premier serve', { concurrency: 3 }, () => {
  test('without a file there is a sample to try, and a token that is told once', async (t) => {
    const { url, child, ended, written } = await serving(t, []);
    const times = [await fetched(`${url}/time`), await fetched(`${url}/time`)];
    assert.equal(times[0]?.text, times[1]?.text, 'the second one comes from the cache');
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await fetched(`${url}/limited`)).status);
    assert.deepEqual(statuses, [200, 200, 200, 429]);
    assert.equal((await fetched(`${url}/flaky`)).status, 200);
    assert.equal((await fetched(`${url}/health`)).status, 200);
    const [, token] = /Admin token[^:]*: (\S+)/.exec(written()) ?? [];
    const reset = (authorization: string): Promise<Response> =>
      fetch(`${url}/circuit-breakers/${encodeURIComponent('/broken')}/reset`, { method: 'POST', headers: { authorization } });
    await fetched(`${url}/broken`);
    assert.equal((await reset(`Bearer ${token}`)).status, 200);
    assert.equal((await reset('Bearer wrong')).status, 401);
    assert.match(written(), /memory of this process; set store\.redis/);
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
  });

  test('all mistakes of a file are told with line and column, and nothing starts', async (t) => {
    const { path } = fileOf(t, 'premier:\n  servers: [http://b]\n  keyspaec: x\n  paths:\n    - pattern: nowhere\n');
    const { ended, written } = premier(t, ['serve', path, '--port', '0']);
    assert.equal(await ended, 1);
    assert.ok(written().includes(`${path}:3:3: `), written());
    assert.match(written(), /gateway\.yaml:5:\d+: /);
    assert.doesNotMatch(written(), /\n\s+at /, 'no stack');
  });

  test('a file that is not there, and one with nothing to forward to, say what to do', async (t) => {
    const missing = premier(t, ['serve', '/nowhere/gateway.yaml', '--port', '0']);
    assert.equal(await missing.ended, 1);
    assert.match(missing.written(), /\/nowhere\/gateway\.yaml: there is no such file; `premier init/);
    const empty = premier(t, ['serve', fileOf(t, 'premier:\n  keyspace: x\n').path, '--port', '0']);
    assert.equal(await empty.ended, 1);
    assert.match(empty.written(), /nothing to forward to; name `servers` \(or `upstreams`\)/);
  });

  test('a port in use is one line and exit code 1', async (t) => {
    const taken = new URL(await echoPath(t)).port;
    const { ended, written } = premier(t, ['serve', '--port', taken]);
    assert.equal(await ended, 1);
    assert.match(written().trim(), new RegExp(`^premier serve: port ${taken} of 127\\.0\\.0\\.1 is in use.*--port$`));
  });

  test('SIGHUP takes a new file over, and leaves everything as it was when the file is bad', async (t) => {
    const [a, b] = [await upstream(t, (_, response) => response.end('a')), await upstream(t, (_, response) => response.end('b'))];
    const file = fileOf(t, `premier:\n  servers: [${a}]\n`);
    const { url, child, said, written } = await serving(t, [file.path]);
    assert.equal((await fetched(url)).text, 'a');
    file.write(`premier:\n  servers: [${b}]\n`);
    child.kill('SIGHUP');
    await until(
      () => fetched(url),
      ({ text }) => text === 'b',
    );
    file.write('premier:\n  servers: [http://c]\n  wrong: 1\n');
    child.kill('SIGHUP');
    await said(/not reloaded.*gateway\.yaml:3:3: /);
    assert.equal((await fetched(url)).text, 'b');
    assert.equal(
      written()
        .split('\n')
        .filter((line) => line.includes('not reloaded')).length,
      1,
    );
    assert.match((await fetched(`${url}/metrics`)).text, /config_reloads_total\{result="failure"\} 1/);
  });

  test('--watch sees that the file has changed', async (t) => {
    const [a, b] = [await upstream(t, (_, response) => response.end('a')), await upstream(t, (_, response) => response.end('b'))];
    const file = fileOf(t, `premier:\n  servers: [${a}]\n`);
    const { url } = await serving(t, [file.path, '--watch']);
    assert.equal((await fetched(url)).text, 'a');
    file.write(`premier:\n  servers: [${b}]\n`);
    await until(
      () => fetched(url),
      ({ text }) => text === 'b',
    );
  });

  test('SIGTERM lets a request under way finish and takes no more; /health says so before', async (t) => {
    const waiting: ServerResponse[] = [];
    const slow = await upstream(t, (_, response) => waiting.push(response));
    const { path } = fileOf(t, `premier:\n  servers: [${slow}]\n  drain_delay: 2\n`);
    const { url, child, ended } = await serving(t, [path]);
    const answer = fetched(`${url}/slow`);
    await until(
      () => waiting.length,
      (count) => count === 1,
    );
    child.kill('SIGTERM');
    await until(
      () => fetched(`${url}/health`),
      ({ status }) => status === 503,
    );
    await refused(url);
    waiting[0]?.end('done');
    assert.equal((await answer).text, 'done');
    assert.equal(await ended, 0);
  });

  test('a second signal ends it at once', async (t) => {
    const waiting: ServerResponse[] = [];
    const slow = await upstream(t, (_, response) => waiting.push(response));
    const { path } = fileOf(t, `premier:\n  servers: [${slow}]\n  grace: 60\n`);
    const { url, child, ended } = await serving(t, [path]);
    request(url)
      .on('error', () => undefined)
      .end();
    await until(
      () => waiting.length,
      (count) => count === 1,
    );
    child.kill('SIGINT');
    await refused(url);
    child.kill('SIGINT');
    assert.equal(await ended, 1);
  });

  test('grace bounds how long the end may take', async (t) => {
    const waiting: ServerResponse[] = [];
    const slow = await upstream(t, (_, response) => waiting.push(response));
    const { path } = fileOf(t, `premier:\n  servers: [${slow}]\n  grace: 100ms\n`);
    const { url, child, ended } = await serving(t, [path]);
    const cut = assert.rejects(fetched(url));
    await until(
      () => waiting.length,
      (count) => count === 1,
    );
    child.kill('SIGTERM');
    await cut;
    assert.equal(await ended, 0);
  });

  test('without a file, the environment may name one', async (t) => {
    const { path } = fileOf(t, `premier:\n  servers: [${await echoPath(t)}]\n`);
    const { url } = await serving(t, ['--log-level', 'silent'], { PREMIER_CONFIG_FILE: path });
    assert.equal((await fetched(`${url}/here`)).text, '/here');
  });
});

interface Manifest {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly { readonly args: readonly string[]; readonly lifecycle: unknown }[];
      };
    };
  };
}

describe('the examples', () => {
  const example = (name: string): string => readFileSync(`docs/examples/${name}`, 'utf8');

  test('the sample file is right', () => {
    const { resolved, warnings } = GatewayConfig.fromText(example('gateway.yaml'), { env: {} });
    assert.deepEqual(warnings, []);
    assert.equal(resolved.servers?.[0]?.url, 'http://127.0.0.1:8001');
  });

  test('the Kubernetes manifest holds a right file, a right command line, and enough time to end', () => {
    const manifests = parseAllDocuments(example('kubernetes.yaml')).map((document) => {
      assert.deepEqual([...document.errors, ...document.warnings], []);
      return document.toJS() as Manifest;
    });
    assert.deepEqual(
      manifests.map(({ kind }) => kind),
      ['ConfigMap', 'Deployment', 'Service'],
    );
    const text = manifests[0]?.data?.['gateway.yaml'] ?? '';
    const { resolved, warnings } = GatewayConfig.fromText(text, { env: { REDIS_URL: 'redis://r' } });
    assert.deepEqual(warnings, []);
    const pod = manifests[1]?.spec?.template?.spec;
    const [command, name, ...args] = pod?.containers[0]?.args ?? [];
    assert.deepEqual([command, name], ['premier', 'serve']);
    assert.equal(servePlan(args, { cwd: '/', env: {} })?.path, '/etc/premier/gateway.yaml');
    const preStop = 2;
    assert.ok((pod?.terminationGracePeriodSeconds ?? 0) * 1000 > resolved.grace + resolved.drain_delay + preStop * 1000 + 2000);
  });

  test('the Dockerfile copies what is there and ends in a command that is understood', () => {
    const lines = example('Dockerfile').split('\n');
    const sources = lines.filter((line) => /^COPY (?!--from)/.test(line)).flatMap((line) => line.split(' ').slice(1, -1));
    assert.ok(sources.length > 5);
    for (const source of sources) assert.ok(existsSync(source), source);
    const [command, name, ...args] = JSON.parse(lines.findLast((line) => line.startsWith('CMD '))?.slice(4) ?? '[]') as string[];
    assert.deepEqual([command, name], ['premier', 'serve']);
    const plan = servePlan(args, { cwd: '/', env: {} });
    assert.deepEqual([plan?.path, plan?.host, plan?.port], ['/etc/premier/gateway.yaml', '0.0.0.0', 8000]);
    assert.ok(lines.includes('USER node') && lines.some((line) => line.startsWith('HEALTHCHECK ')));
  });
});
