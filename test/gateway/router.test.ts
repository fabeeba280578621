import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OptionsError } from '../../src/core/errors.js';
import { isUnsafeRegex } from '../../src/gateway/config/regexSafety.js';
import { Router, type Routed } from '../../src/gateway/router.js';
import { compilePattern } from '../../src/gateway/routerPattern.js';

const router = (...patterns: (string | Routed)[]): Router<Routed> =>
  new Router(patterns.map((one) => (typeof one === 'string' ? { pattern: one } : one)));
const found = (of: Router<Routed>, path: string, method = 'GET', host = 'h'): string | undefined => of.match(method, host, path)?.pattern;

describe('a router', () => {
  test('takes the first path in file order, however precise a later one is', () => {
    const of = router('/api/*', '/api/users/1', '*');
    assert.equal(found(of, '/api/users/1'), '/api/*');
    assert.equal(found(of, '/x'), '*');
    assert.equal(found(router('/api/users/1', '/api/*'), '/api/users/1'), '/api/users/1');
  });

  const globs: readonly (readonly [pattern: string, path: string, matches: boolean])[] = [
    ['/api/users/*', '/api/users/1', true],
    ['/api/users/*', '/api/users/1/orders', true],
    ['/api/users/*', '/api/users/', true],
    ['/api/users/*', '/api/users', false],
    ['/api/users/*', '/x/api/users/1', false],
    ['/api/users/*/data', '/api/users/1/2/data', true],
    ['/api/users/*/data', '/api/users/data', false],
    ['/api/users/*/data', '/api/users/1/data/x', false],
    ['/a*b*c', '/abbcc', true],
    ['/a*bc*c', '/abc', false],
    ['/a.b', '/axb', false],
    ['/a(b)+', '/ab', false],
    ['/a(b)+', '/a(b)+', true],
    ['*.json', '/a/b.json', true],
    ['/a**b', '/ab', true],
    ['/health', '/healthz', false],
    ['/café/*', '/caf%C3%A9/1', true],
    ['^/health$', '/health', true],
    ['^/health$', '/healthz', false],
    ['^/admin', '/admin/x', true],
    ['^/admin/.*$', '/x/admin/y', false],
    ['^/a|/b', '/x/b', false],
    ['^/a|/b', '/b/x', true],
    [String.raw`^/v\d+/x`, '/v12/x', true],
    [String.raw`^/a\.b?/`, '/a./', true],
    ['^/ab*c', '/ac', true],
    ['^/ab?$', '/a', true],
    ['^(?:/x|/y)/z', '/y/z', true],
  ];
  for (const [pattern, path, matches] of globs) {
    test(`${pattern} ${matches ? 'matches' : 'does not match'} ${path}`, () =>
      assert.equal(found(router(pattern), path), matches ? pattern : undefined));
  }

  test('falls through what method, host or `enabled: false` rule out', () => {
    const of = router(
      { pattern: '/a', methods: ['POST'] },
      { pattern: '/a*', host: 'api.example.com' },
      { pattern: '/*', enabled: false },
      { pattern: '^/', methods: ['GET', 'PUT'] },
    );
    assert.equal(found(of, '/a', 'POST'), '/a');
    assert.equal(found(of, '/a', 'GET', 'api.example.com:8000'), '/a*');
    assert.equal(found(of, '/a', 'GET'), '^/');
    assert.equal(found(of, '/a', 'HEAD'), '^/');
    assert.equal(found(of, '/a', 'DELETE'), undefined);
  });

  test('tells hosts apart whole, with what a star stands for below a name', () => {
    const of = router(
      { pattern: '/1*', host: 'Example.com' },
      { pattern: '/*', host: '*.example.com' },
      { pattern: '/**', host: 'localhost:8000' },
      { pattern: '/***', host: '[::1]' },
    );
    assert.equal(found(of, '/1', 'GET', 'example.com'), '/1*');
    assert.equal(found(of, '/1', 'GET', 'example.com.:80'), '/1*');
    assert.equal(found(of, '/2', 'GET', 'example.com'), undefined);
    assert.equal(found(of, '/1', 'GET', 'a.b.example.com:443'), '/*');
    assert.equal(found(of, '/1', 'GET', 'evilexample.com'), undefined);
    assert.equal(found(of, '/1', 'GET', 'example.com.evil.test'), undefined);
    assert.equal(found(of, '/1', 'GET', 'localhost:8000'), '/**');
    assert.equal(found(of, '/1', 'GET', 'localhost:3000'), undefined);
    assert.equal(found(of, '/1', 'GET', '[::1]:80'), '/***');
  });

  test('knows a host by all its spellings, so that none leads past the policies of its path', () => {
    const of = router({ pattern: '/a*', host: 'secret.test.:08080' }, { pattern: '/*', host: 'secret.test' }, '*');
    for (const host of ['secret.test:8080', 'secret.test.:8080', 'secret.test:08080', 'secret.test..:8080']) {
      assert.equal(found(of, '/a', 'GET', host), '/a*', host);
    }
    for (const host of ['secret.test', 'secret.test.', 'secret.test..', 'secret.test:', 'secret.test.:9']) {
      assert.equal(found(of, '/a', 'GET', host), '/*', host);
    }
    for (const host of ['secret.tes', 'secret.test.a', '.', '[::1]:8080']) assert.equal(found(of, '/a', 'GET', host), '*', host);
  });

  test('refuses a pattern or host that cannot be', () => {
    assert.throws(
      () => router('^/(a'),
      (error: Error) => error instanceof OptionsError && error.message.includes('"^/(a"'),
    );
    assert.throws(() => router({ pattern: '/a', host: 'api.*' }), OptionsError);
    assert.throws(() => router({ pattern: '/a', host: '*.api.test:8080' }), /a \* and a port/);
    for (const bad of ['^/(a|aa)+$', '^/(?:ab|a|b)*!', '^/(a+)+$', '^/((a*)b?)*$', String.raw`^/(\w+\s?)*$`, '^(/.*)*x$'])
      assert.throws(() => router(bad), /takes ages/, bad);
    for (const good of ['^(/[^/]+)*$', String.raw`^/v\d+(/\w+)?$`, '^/(?:a|b)+/x', '^/(?:foo|far|/)*x', '^/([a-z]+-)*[a-z]+$'])
      assert.doesNotThrow(() => router(good), good);
  });

  test('answers as one that tries all paths in turn', () => {
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const text = (letters: string, most: number): string =>
      Array.from({ length: random(most) }, () => letters[random(letters.length)]).join('');
    const naive = (paths: readonly Routed[], method: string, host: string, path: string): Routed | undefined =>
      paths.find(({ pattern, methods, host: wanted, enabled }) => {
        const source = pattern.startsWith('^') ? pattern : `^${pattern.replaceAll('.', '\\.').replaceAll(/\*+/g, '.*')}$`;
        const hosted = wanted === undefined || wanted === host || (wanted.startsWith('*') && host.endsWith(wanted.slice(1)));
        return enabled !== false && hosted && (methods === undefined || methods.includes(method)) && new RegExp(source).test(path);
      });
    let matched = 0;
    for (let round = 0; round < 400; round++) {
      const paths = Array.from({ length: 1 + random(30) }, (): Routed => {
        const pattern = `/${text('ab/*.', 8)}`;
        const regex = `^${pattern.replaceAll('*', '.*')}`;
        return {
          pattern: random(4) === 0 && !isUnsafeRegex(regex) ? regex : pattern,
          methods: random(3) === 0 ? ['GET'] : undefined,
          host: [undefined, undefined, 'a.b', '*.b', '*.a.b'][random(5)],
          enabled: random(6) !== 0,
        };
      });
      const of = new Router(paths);
      for (let i = 0; i < 30; i++) {
        const asked = [['GET', 'POST'][random(2)] as string, ['a.b', 'b', 'x.a.b'][random(3)] as string, `/${text('ab/.', 8)}`] as const;
        const expected = naive(paths, ...asked);
        assert.equal(of.match(...asked), expected, JSON.stringify([asked, paths]));
        if (expected !== undefined) matched++;
      }
    }
    assert.ok(matched > 1000, `only ${matched} matched`);
  });

  test('is done at once with what would keep a backtracking matcher busy for ever', () => {
    const pattern = `/${'a*'.repeat(40)}b`;
    assert.equal(found(router(pattern), `/${'a'.repeat(8000)}`), undefined);
  });
});

test('a pattern tells what its stars and groups stand for', () => {
  assert.deepEqual(compilePattern('/a/*/b/*').captures('/a/1/b/2/3'), ['1', '2/3']);
  assert.deepEqual(compilePattern('^/u/(?<id>[^/]+)(?:/(?<page>.+))?').captures('/u/7'), ['7', '']);
  assert.equal(compilePattern('/a/*').captures('/b'), undefined);
});
