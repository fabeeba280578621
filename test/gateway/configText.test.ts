import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../src/gateway/config/configError.js';
import { GatewayConfig } from '../../src/gateway/config/gatewayConfig.js';
import { jsonSchema } from '../../src/gateway/config/jsonSchema.js';
import { featureSchemas } from '../../src/gateway/config/featureSchemas.js';
import { isUnsafeRegex } from '../../src/gateway/config/regexSafety.js';

function errorOf(text: string, options: Parameters<typeof GatewayConfig.fromText>[1] = {}): ConfigError {
  try {
    GatewayConfig.fromText(text, { env: {}, ...options });
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error;
  }
  return assert.fail('it was accepted');
}

describe('variables in a text', () => {
  const keyspaceOf = (yaml: string, env: Record<string, string>): unknown =>
    GatewayConfig.fromText(`premier: { admin: { master_key: ${yaml} } }`, { env }).resolved.admin.master_key;

  test('are put in after parsing, so that no value can bring in YAML', () => {
    const evil = 'x", token: "y" }\npaths: [1] # *a &b !!c ${OTHER}';
    assert.equal(keyspaceOf('"${V}"', { V: evil, OTHER: 'no' }), evil);
    assert.equal(keyspaceOf('"<${V}${W:-d}${E:-e}>"', { V: '1', E: '' }), '<1de>');
    assert.equal(keyspaceOf("'$${V} costs 5$'", { V: '1' }), '${V} costs 5$');
  });

  test('give a plain scalar the type of their text, and only then', () => {
    const graceOf = (yaml: string, V: string): unknown =>
      GatewayConfig.fromText(`premier:\n  grace: ${yaml}\n`, { env: { V } }).resolved.grace;
    assert.equal(graceOf('${V}', '5'), 5000);
    assert.equal(graceOf('${V}', '1.5e0'), 1500);
    assert.equal(graceOf('${V}', '250ms'), 250);
    assert.equal(graceOf('${NONE:-7}', ''), 7000);
    assert.match(errorOf('premier:\n  grace: "${V}"\n', { env: { V: '5' } }).message, /leave out the quotes$/);
    assert.match(errorOf('premier:\n  upstreams: ${V}\n', { env: { V: '{ a: { servers: [http://a] } }' } }).message, /must be a mapping/);
    assert.match(errorOf('premier:\n  admin:\n    master_key: ${V}\n', { env: { V: '123' } }).message, /put it in quotes$/);
  });

  test('are never shown in an error, for they may be secrets', () => {
    const { message } = errorOf('premier:\n  grace: ${V}\n  log: { level: "${V}" }\n', { env: { V: 'hunter2' } });
    assert.equal(message.split('\n').length, 2);
    assert.doesNotMatch(message, /hunter2/);
    assert.match(message, /the value of \$\{V\}/);
  });

  test('are left alone in keys', () => {
    const { upstreams } = GatewayConfig.fromText('premier: { upstreams: { "${V}": { servers: [http://a] } } }', {
      env: { V: 'x' },
    }).resolved;
    assert.deepEqual(Object.keys(upstreams), ['${V}']);
  });
});

describe('a text', () => {
  test('is read below its namespace, whatever else it holds', () => {
    const read = (text: string, namespace: string): string => GatewayConfig.fromText(text, { namespace }).resolved.keyspace;
    assert.equal(read('tool:\n  other: ${NOT_SET}\n  premier: { keyspace: a }\npremier: { nonsense: 1 }', 'tool.premier'), 'a');
    assert.equal(read('tool.premier: { keyspace: b }', 'tool.premier'), 'b');
    assert.equal(read('\uFEFFpremier:\r\n  keyspace: c\r\n', 'premier'), 'c');
    const { message } = errorOf('tool: { premir: {} }', { namespace: 'tool.premier', source: 'p.yaml' });
    assert.equal(message, 'p.yaml:1:7: there is no `premier:` below `tool`; is `premir` misspelt?');
  });

  test('that is too long or nested too deeply is refused at once', () => {
    assert.match(errorOf(`premier: { keyspace: ${'a'.repeat(1_100_000)} }`).message, /longer than 1048576 bytes/);
    assert.match(errorOf(`premier: ${'['.repeat(20_000)}`).message, /nested too deeply/);
    assert.match(errorOf(`premier: ${'['.repeat(150)}${']'.repeat(150)}`).message, /nested too deeply/);
  });

  test('with very many keys in one mapping does not take quadratic time', () => {
    const servers = Array.from({ length: 20_000 }, (_, i) => `    h${i}: x`).join('\n');
    const { issues } = errorOf(`premier:\n  upstreams:\n${servers}\n`);
    assert.equal(issues.length, 20_000);
  });

  test('tells all mistakes in the order of the file, and those of an anchor once', () => {
    const { issues } = errorOf(
      'premier:\n  paths:\n    - pattern: /a\n      features: &f { cach: {} }\n    - { pattern: /b, features: *f }\n  keyspce: 1\n',
    );
    assert.deepEqual(
      issues.map(({ line, column, path }) => [line, column, path]),
      [
        [4, 22, 'paths[1].features.cach'],
        [6, 3, 'keyspce'],
      ],
    );
  });
});

describe('regular expressions', () => {
  for (const source of [
    '^/(a+)+$',
    '^/(.*)*',
    '^/([a-z]+)*x',
    '^/(a|a)*$',
    '^/(\\w|\\d)+',
    '^/((a*)b?)*',
    '^/(\\d+){20}',
    '^/(?:x*){2,}',
    '^(/.+)+$',
    '^/.*a.*b.*c$',
    '^/(.*)-(.*)-(.*)-',
    '^/(?:x|\\w+\\w+\\w+;)',
  ])
    test(`${source} repeats something that repeats itself`, () => assert.ok(isUnsafeRegex(source)));
  for (const source of [
    '^/files(/[^/]+)*$',
    '^(/\\w+/?)+$',
    '^/a+b*',
    '^/(\\d+)-(\\d+)$',
    '^/([a-z]+/)*x',
    '^/(a|b)*',
    '^/v\\d+/.*',
    '^/[(a+)+]',
    '^/(a+)?$',
    '^/(\\(a\\)+){1,3}',
    '^/(?<id>\\d+)',
    '^/.*/a/.*/b$',
    '^/[^/]+/[^/]+/[^/]+/x$',
    '^/((',
  ])
    test(`${source} can be matched in good time`, () => assert.ok(!isUnsafeRegex(source)));
});

describe('the JSON Schema', () => {
  type Json = { readonly [key: string]: Json };
  const schema = jsonSchema('tool.premier') as unknown as Json;
  const config = schema['properties']?.['tool']?.['properties']?.['premier']?.['properties'] as Json;
  const given = config['default_features'] as Json;
  const [mapping = given] = (given['anyOf'] ?? []) as unknown as Json[];
  const features = mapping['properties'] as Json;

  test('stands below the namespace and knows every feature', () => {
    assert.deepEqual(Object.keys(features), Object.keys(featureSchemas));
    assert.deepEqual(schema['required'], ['tool']);
  });

  test('tells spans in seconds, short forms, and variables', () => {
    const { grace, merge_slashes: merge } = config;
    assert.equal(grace?.['$ref'], '#/$defs/span');
    assert.equal(grace?.['default'], 10);
    assert.deepEqual(merge?.['anyOf'], [{ type: 'boolean' }, { $ref: '#/$defs/variable' }]);
    const { anyOf: forms } = features['timeout'] as Json;
    const [short, long] = forms as unknown as Json[];
    assert.equal(short?.['$ref'], '#/$defs/span');
    assert.deepEqual(long?.['required'], ['seconds']);
    for (const ref of JSON.stringify(schema).matchAll(/"\$ref":"#\/\$defs\/(\w+)"/g)) assert.ok(schema['$defs']?.[ref[1] as string]);
  });
});
