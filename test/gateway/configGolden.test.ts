import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { ConfigError, formatIssue } from '../../src/gateway/config/configError.js';
import { GatewayConfig } from '../../src/gateway/config/gatewayConfig.js';
import { importYaml } from '../../src/gateway/config/importSeeds.js';

/** `UPDATE_GOLDEN=1` writes what comes out, for a person to look at. */
const update = process.env['UPDATE_GOLDEN'] !== undefined;
const folder = 'test/gateway/golden';
const env = {
  KEYSPACE: 'golden',
  BACKEND: 'http://b1:8000',
  PASSWORD: 'p#: {s',
  TOKEN: '12345',
  GRACE: '5',
  TRUE: 'true',
  INJECTED: '{ a: 1 }',
};

function yamlIn(where: string): string[] {
  return readdirSync(where).filter((name) => name.endsWith('.yaml') && !name.endsWith('.out.yaml'));
}

/** What comes of a file: each kind of outcome with the ending of the file that holds it. */
function outcome(file: string, text: string): Record<string, string | undefined> {
  try {
    const { resolved, warnings } = GatewayConfig.fromText(text, { source: file, env });
    return {
      '.json': `${JSON.stringify(resolved, null, 2)}\n`,
      '.warnings.txt': warnings.length === 0 ? undefined : warnings.map((issue) => `${formatIssue(issue, file)}\n`).join(''),
      '.errors.txt': undefined,
    };
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(error.issues.every(({ line, column }) => line > 0 && column > 0));
    return { '.json': undefined, '.warnings.txt': undefined, '.errors.txt': `${error.message}\n` };
  }
}

function compare(path: string, actual: string | undefined): void {
  if (update) {
    if (actual === undefined) rmSync(path, { force: true });
    else writeFileSync(path, actual);
  }
  assert.equal(actual, existsSync(path) ? readFileSync(path, 'utf8') : undefined, path);
}

describe('what is read from a file', () => {
  for (const name of yamlIn(folder)) {
    test(`${name} comes to what it came to before`, () => {
      const made = outcome(name, readFileSync(join(folder, name), 'utf8'));
      for (const [ending, text] of Object.entries(made)) compare(join(folder, `${basename(name, '.yaml')}${ending}`), text);
    });
  }

  test('the files of the READMEs load', () => {
    for (const name of yamlIn(folder).filter((each) => each.startsWith('readme-'))) {
      assert.ok(existsSync(join(folder, name.replace(/yaml$/, 'json'))), name);
    }
  });
});

describe("what is imported from another gateway's file", () => {
  for (const name of yamlIn(join(folder, 'import'))) {
    test(`${name} comes to what it came to before`, () => {
      const { yaml } = importYaml(readFileSync(join(folder, 'import', name), 'utf8'));
      compare(join(folder, 'import', name.replace(/yaml$/, 'out.yaml')), yaml);
    });
  }

  test('the routes load as they are, and the services but for what comes later', () => {
    const read = (name: string): GatewayConfig =>
      GatewayConfig.fromText(readFileSync(join(folder, 'import', name), 'utf8'), { env: { MASTER_KEY: 'x' } });
    const { paths, upstreams } = read('router.out.yaml').resolved;
    assert.deepEqual(
      paths.map(({ pattern, methods, upstream }) => [pattern, methods, upstream]),
      [
        ['/api/v1/agents', ['GET'], 'agent-service'],
        ['/api/v1/threads', ['POST'], 'thread-service'],
      ],
    );
    assert.deepEqual(upstreams['agent-service']?.servers, [{ url: 'http://agent-service:8001', weight: 100 }]);
    assert.deepEqual(paths[0]?.features, paths[1]?.features);
    assert.deepEqual(read('router-weights.out.yaml').resolved.upstreams['two']?.servers, [
      { url: 'http://one:1', weight: 70 },
      { url: 'http://two:1', weight: 30 },
    ]);
    assert.throws(
      () => read('services.out.yaml'),
      (error: ConfigError) => error.issues.every(({ message }) => message.includes('comes in a later version')),
    );
  });

  test('a file of ours passes unchanged, and others are refused', () => {
    const own = '# mine\npremier: { keyspace: a }\n';
    assert.equal(importYaml(own).yaml, own);
    assert.equal(importYaml(own).notes.length, 1);
    assert.throws(() => importYaml('a: 1', 'old.yaml'), /^ConfigError: old\.yaml:1:1: this is no file that can be imported/);
    assert.throws(() => importYaml('a: [', 'old.yaml'), /this is no YAML/);
  });
});
