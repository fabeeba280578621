import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { importsOf } from './support/imports.js';

/** Who may import whom: what is absent is forbidden. A room may always import itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  algorithms: ['core'],
  providers: ['core'],
  policies: ['core', 'algorithms'],
  redis: ['core', 'algorithms', 'providers/memory', 'providers/tiered'],
  premierOptions: ['core'],
  premier: ['core', 'policies', 'premierOptions', 'providers/memory'],
  standalone: ['core', 'policies', 'premier'],
  testing: ['core', 'algorithms'],
  http: ['core'],
  proxy: ['core', 'http'],
  observe: ['core', 'http'],
  gateway: ['core', 'policies', 'http', 'proxy', 'observe', 'providers/memory', 'redis/index'],
  adapters: ['core', 'algorithms', 'gateway', 'http', 'observe', 'policies', 'premier', 'premierOptions', 'providers/memory'],
  cli: ['core', 'algorithms', 'providers/memory', 'gateway', 'http', 'observe', 'redis/index'],
  index: ['core', 'algorithms', 'policies', 'premier', 'premierOptions', 'standalone', 'providers/memory', 'providers/tiered'],
};

/** The packages that a room may import, beside Node's own. */
const packages: Readonly<Record<string, readonly string[]>> = {
  core: ['reflect-metadata'],
  policies: ['p-retry', 'lru-cache'],
  providers: ['lru-cache'],
  redis: ['lru-cache'],
  http: ['ipaddr.js'],
  proxy: ['undici', 'undici/index.js'],
  observe: ['pino', 'prom-client', '@opentelemetry/api'],
  gateway: ['yaml', 'zod'],
  adapters: ['@nestjs/common', '@nestjs/core', 'fastify', 'hono', 'lru-cache', 'rxjs', 'undici'],
  cli: ['yaml'],
};

const roomOf = (file: string): string => (file.split('/')[1] as string).replace(/\.ts$/, '');
const imports = importsOf();

describe('architecture', () => {
  test('every import is one that the table allows', () => {
    const forbidden = imports.filter(({ from, of }) => {
      const room = roomOf(from);
      if (!of.startsWith('src/')) return !of.startsWith('node:') && !(packages[room] ?? []).includes(of);
      const target = of.slice('src/'.length);
      return (
        roomOf(of) !== room &&
        !(mayImport[room] ?? []).some(
          (allowed) => target === `${allowed}.ts` || target.startsWith(`${allowed}/`) || target === allowed + '.ts',
        )
      );
    });
    assert.deepEqual(forbidden, []);
  });

  test('every room is in the table', () => {
    const rooms = readdirSync('src').map((name) => name.replace(/\.ts$/, ''));
    assert.deepEqual(
      rooms.filter((room) => !(room in mayImport)),
      [],
    );
  });

  test('no import goes in a circle', () => {
    const next = new Map<string, string[]>();
    for (const { from, of } of imports) next.set(from, [...(next.get(from) ?? []), of]);
    const finished = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      assert.ok(!path.includes(file), `a circle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
      if (finished.has(file)) return;
      for (const other of next.get(file) ?? []) visit(other, [...path, file]);
      finished.add(file);
    };
    for (const file of next.keys()) visit(file, []);
  });

  test('no file has more than 300 lines', () => {
    const long = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => readFileSync(join('src', file), 'utf8').split('\n').length > 301);
    assert.deepEqual(long, []);
  });

  test('`any` stands only where variance forces it', () => {
    const holders = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
      (file) =>
        file.endsWith('.ts') &&
        /[<:,(|] ?(readonly )?any\b/.test(readFileSync(join('src', file), 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*/g, '')),
    );
    assert.deepEqual(holders.toSorted(), ['core/decorate.ts']);
  });

  test('importing premier loads nothing of Redis, of a framework or of the testing laws', () => {
    const script = `
      import { registerHooks } from 'node:module';
      const seen = [];
      process.on('exit', () => console.log(JSON.stringify(Object.keys(process.moduleLoadList.reduce((all, one) => ({ ...all, [one]: 1 }), {})).filter((one) => /net|http|tls|dgram/.test(one)))));
      await import('premier');`;
    const { stdout, status } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', script.replace(/import \{ registerHooks.*\n/, '')],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0);
    assert.doesNotMatch(stdout, /NativeModule (net|http|tls|dgram)"/);
    const bundled = readFileSync('dist/index.mjs', 'utf8');
    for (const absent of ['ioredis', 'express', '@nestjs', 'node:assert', 'node:net', 'node:http'])
      assert.ok(!bundled.includes(`"${absent}`), absent);
  });
});
