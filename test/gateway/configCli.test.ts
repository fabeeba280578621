import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { check } from '../../src/cli/check.js';
import { explain } from '../../src/cli/explain.js';
import { importFile } from '../../src/cli/import.js';
import { init } from '../../src/cli/init.js';
import type { Command } from '../../src/cli/io.js';
import { schema } from '../../src/cli/schema.js';

describe('the commands about files', () => {
  let cwd = '';
  before(() => void (cwd = mkdtempSync(join(tmpdir(), 'premier-cli-'))));
  after(() => rmSync(cwd, { recursive: true }));

  const run = async (command: Command, ...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> => {
    const out: string[] = [];
    const err: string[] = [];
    const code = await command(args, { out: (text) => out.push(text), err: (text) => err.push(text), cwd, env: { HOST: 'b' } });
    return { code, out, err };
  };
  const file = (name: string, text: string): string => {
    writeFileSync(join(cwd, name), text);
    return name;
  };

  test('check prints every mistake with its place and ends with 1', async () => {
    const name = file('bad.yaml', 'premier:\n  keyspce: a\n  servers: ["http://${HOST}", 5]\n');
    const { code, out } = await run(check, name);
    assert.equal(code, 1);
    assert.equal(
      out.join('\n'),
      'bad.yaml:2:3: unknown key `keyspce`; did you mean `keyspace`?\nbad.yaml:3:31: `servers[1]` must be an address such as http://backend:8000, or a mapping (got 5)',
    );
  });

  test('check prints warnings and ends with 0', async () => {
    const name = file('warn.yaml', 'tool:\n  premier:\n    servers: [http://a:1]\n    paths:\n      - pattern: /*\n      - pattern: /a\n');
    assert.deepEqual(await run(check, name, '--namespace', 'tool.premier'), {
      code: 0,
      out: ['warn.yaml:6:18: warning: `pattern` can never match: `/*` in line 5 takes all of it', 'warn.yaml: ok (2 paths, 1 upstream)'],
      err: [],
    });
  });

  test('a file that is not there is told, with what would make one', async () => {
    const { code, out } = await run(check, 'none.yaml');
    assert.equal(code, 1);
    assert.deepEqual(out, ['none.yaml: there is no such file; `premier init none.yaml` writes one']);
    assert.match((await run(check, '.')).out.join(''), /cannot be read \(EISDIR\)/);
  });

  test('a wrong command line gets the usage and 2, --help gets it and 0', async () => {
    for (const [command, ...args] of [
      [check],
      [check, 'a', 'b'],
      [check, 'a', '--namespce', 'x'],
      [explain, 'a', 'GET'],
      [schema, 'a'],
      [importFile],
      [init, 'a', 'b'],
    ] as [Command, ...string[]][]) {
      const { code, err } = await run(command, ...args);
      assert.equal(code, 2);
      assert.match(err.join('\n'), /Usage: premier/);
      const help = await run(command, '--help');
      assert.equal(help.code, 0);
      assert.match(help.out.join('\n'), /^Usage: premier/);
    }
  });

  test('init writes a sample that checks, and never over another file', async () => {
    assert.equal((await run(init)).code, 0);
    const before = readFileSync(join(cwd, 'gateway.yaml'), 'utf8');
    const checked = await run(check, 'gateway.yaml');
    assert.deepEqual([checked.code, checked.out.length], [0, 1]);
    const again = await run(init, 'gateway.yaml');
    assert.equal(again.code, 1);
    assert.match(again.err.join(''), /gateway\.yaml is there already/);
    assert.equal(readFileSync(join(cwd, 'gateway.yaml'), 'utf8'), before);
  });

  test('explain prints the pattern and the stages, outermost first', async () => {
    const name = file(
      'explain.yaml',
      `premier:
  paths:
    - pattern: /api/users/*
      methods: [GET]
      features: { retry: {}, cache: { expire_s: 1 }, timeout: 5, rate_limit: { quota: 1, duration: 1 } }
    - pattern: /api/*
      host: "*.example.com"
      features: { bulkhead: { max_concurrent: 1 } }
  default_features: { timeout: 1 }
`,
    );
    const told = async (...args: string[]): Promise<string[]> => (await run(explain, name, ...args)).out;
    assert.deepEqual(await told('get', '/api/users/1?x=1'), ['/api/users/*', 'rate_limit', 'cache', 'timeout', 'retry']);
    assert.deepEqual(await told('GET', '/x/..//api/users/%31'), ['/api/users/*', 'rate_limit', 'cache', 'timeout', 'retry']);
    assert.deepEqual(await told('POST', '/api/users/1', '--host', 'A.Example.com'), ['/api/*', 'bulkhead']);
    assert.deepEqual(await told('POST', '/api/users/1'), ['(no path matches: default_features)', 'timeout']);
    const refused = await run(explain, name, 'GET', '/a\\b');
    assert.equal(refused.code, 1);
    assert.match(refused.err.join(''), /is refused/);
  });

  test('schema prints JSON', async () => {
    const { code, out } = await run(schema);
    assert.equal(code, 0);
    assert.equal((JSON.parse(out.join('')) as { title: string }).title, 'Premier gateway');
  });

  test('import prints our YAML, its notes beside it, and leaves the old file', async () => {
    const old = 'services:\n  a: { url: "http://a:1" }\n';
    const { code, out, err } = await run(importFile, file('old.yaml', old));
    assert.equal(code, 0);
    assert.match(out.join('\n'), /pattern: \/a\/\*/);
    assert.ok(err.every((line) => line.startsWith('note: ')));
    assert.equal(readFileSync(join(cwd, 'old.yaml'), 'utf8'), old);
    const unknown = await run(importFile, file('unknown.yaml', 'a: 1\n'));
    assert.equal(unknown.code, 1);
    assert.match(unknown.err.join(''), /^unknown\.yaml:1:1: this is no file that can be imported/);
  });
});
