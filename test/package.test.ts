import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

/** The package as a stranger gets it: packed, unpacked beside its dependencies, and loaded. */
describe('the published package', () => {
  let home = '';
  const node = (file: string, source: string, args: readonly string[] = []) => {
    writeFileSync(join(home, file), source);
    const { status, stdout, stderr } = spawnSync(process.execPath, [...args, file], { cwd: home, encoding: 'utf8' });
    return { status, stdout: stdout.trim(), stderr };
  };

  before(() => {
    home = mkdtempSync(join(tmpdir(), 'premier-'));
    const { stdout } = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', home], { encoding: 'utf8' });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    mkdirSync(join(home, 'node_modules'));
    const unpacked = spawnSync('tar', ['-xzf', filename], { cwd: home });
    assert.equal(unpacked.status, 0);
    cpSync(join(home, 'package'), join(home, 'node_modules/premier'), { recursive: true });
    for (const name of ['lru-cache', 'reflect-metadata'])
      cpSync(`node_modules/${name}`, join(home, 'node_modules', name), { recursive: true });
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  const use = `
    const call = new Premier().retry()(async (n) => n * 2);
    call(21).then((n) => console.log(n));`;

  test('a CommonJS file requires it', () => {
    const { stdout, stderr } = node('use.cjs', `const { Premier } = require('premier');${use}`);
    assert.deepEqual([stdout, stderr], ['42', '']);
  });

  test('an ES module imports it', () => {
    const { stdout, stderr } = node('use.mjs', `import { Premier } from 'premier';${use}`);
    assert.deepEqual([stdout, stderr], ['42', '']);
  });

  test('premier/testing loads both ways', () => {
    const use = `new FakeClock(5).now() === 5 && console.log(providerLaws({ make: () => memory() }).length > 9)`;
    assert.equal(
      node('t.cjs', `const { FakeClock, providerLaws } = require('premier/testing'); const { memory } = require('premier'); ${use}`).stdout,
      'true',
    );
    assert.equal(
      node('t.mjs', `import { FakeClock, providerLaws } from 'premier/testing'; import { memory } from 'premier'; ${use}`).stdout,
      'true',
    );
  });

  test('premier/redis loads both ways without ioredis, and says so where it is needed', () => {
    const use = `try { redis({ url: 'redis://localhost:1' }); } catch (error) { console.log(error.code, error.message.includes('npm install ioredis')); }`;
    assert.equal(node('r.cjs', `const { redis } = require('premier/redis'); ${use}`).stdout, 'PREMIER_OPTIONS true');
    assert.equal(node('r.mjs', `import { redis } from 'premier/redis'; ${use}`).stdout, 'PREMIER_OPTIONS true');
  });

  test('both entries hold the same classes, whichever way they are loaded', () => {
    const { stdout } = node(
      'same.mjs',
      `import { createRequire } from 'node:module';
       import { StoreUnavailableError, tiered } from 'premier';
       import { tiered as other } from 'premier/redis';
       const error = new (createRequire(import.meta.url)('premier').StoreUnavailableError)('x');
       console.log(tiered === other, error instanceof StoreUnavailableError);`,
    );
    assert.equal(stdout, 'true true');
  });

  for (const entry of ['express', 'fastify', 'fetch', 'hono', 'koa', 'nestjs']) {
    test(`premier/${entry} loads both ways, and no framework but NestJS with it`, () => {
      const show = `console.log(JSON.stringify(Object.keys(entry).filter((name) => name !== 'default').toSorted()));`;
      const frameworks = `(require('node:module'), Object.keys(require.cache).filter((file) => /node_modules.(express|fastify|hono|koa)\\b/.test(file)))`;
      const run = (args: readonly string[]): string => spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout.trim();
      const required = run(['-e', `const entry = require('premier/${entry}'); ${show} console.log(${frameworks}.length);`]);
      const imported = run(['--input-type=module', '-e', `import * as entry from 'premier/${entry}'; ${show}`]);
      assert.equal(required, `${imported}\n0`);
      assert.ok(JSON.parse(imported).length >= 2, imported);
    });
  }

  test('nothing else is importable', () => {
    const { status, stderr } = node('deep.mjs', `import 'premier/dist/index.mjs'`);
    assert.equal(status, 1);
    assert.match(stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/);
  });

  test('it needs only its declared dependencies, holds its notices, and no source of ours', () => {
    const manifest = JSON.parse(readFileSync(join(home, 'package/package.json'), 'utf8')) as Record<string, Record<string, string>>;
    assert.deepEqual(Object.keys(manifest['dependencies'] ?? {}), [
      'ipaddr.js',
      'lru-cache',
      'p-retry',
      'pino',
      'prom-client',
      'reflect-metadata',
      'undici',
      'yaml',
      'zod',
    ]);
    const { stdout } = spawnSync('tar', ['-tzf', readPacked(home)], { cwd: home, encoding: 'utf8' });
    assert.match(stdout, /LICENSE/);
    assert.match(stdout, /THIRD-PARTY-NOTICES\.md/);
    assert.doesNotMatch(stdout, /package\/(src|test|docs)\//);
  });
});

function readPacked(home: string): string {
  const { stdout } = spawnSync('ls', { cwd: home, encoding: 'utf8' });
  return stdout.split('\n').find((file) => file.endsWith('.tgz')) as string;
}
