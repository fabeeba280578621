import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Problem } from '../../src/http/problem.js';
import { canonicalLiteral, isAuthority, parseTarget, type TargetOptions } from '../../src/http/target.js';

const usual: TargetOptions = { mergeSlashes: true, encodedSlashes: 'keep' };

function pathOf(raw: string, options: TargetOptions = usual): string {
  const target = parseTarget(raw, options);
  assert.ok(!(target instanceof Problem), `${raw} is refused: ${(target as Problem).message}`);
  return target.path;
}

describe('a request target', () => {
  const canonical: readonly (readonly [raw: string, path: string])[] = [
    ['/', '/'],
    ['/api/users/1', '/api/users/1'],
    ['/a/', '/a/'],
    ['/a//b///c', '/a/b/c'],
    ['//evil.test/x', '/evil.test/x'],
    ['/a//', '/a/'],
    ['//', '/'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/b/..', '/a/'],
    ['/a/b/.', '/a/b/'],
    ['/../../etc/passwd', '/etc/passwd'],
    ['/public/%2e%2e/admin', '/admin'],
    ['/public/.%2E/admin', '/admin'],
    ['/a//../b', '/b'],
    ['/a/..b', '/a/..b'],
    ['/a/...', '/a/...'],
    ['/.well-known/x', '/.well-known/x'],
    ['/%61dmin', '/admin'],
    ['/%7euser', '/~user'],
    ['/a%2fb', '/a%2Fb'],
    ['/a%5cb', '/a%5Cb'],
    ['/caf%c3%a9', '/caf%C3%A9'],
    ['/%252e%252e/x', '/%252e%252e/x'],
    ['/a;x=1,b:@c', '/a;x=1,b:@c'],
    ['/a|b{c}', '/a%7Cb%7Bc%7D'],
    ['/a[0]', '/a[0]'],
  ];
  for (const [raw, path] of canonical) {
    test(`${raw} is ${path}, and that is canonical already`, () => {
      assert.equal(pathOf(raw), path);
      assert.equal(pathOf(path), path);
    });
  }

  for (const raw of [
    '/a%00',
    '/a\\b',
    '/a#b',
    '/a%',
    '/a%2',
    '/a%zz',
    '/a b',
    '/a\tb',
    '/é',
    '/a\x7f',
    '/x/..;/admin',
    '/?a#b',
    '/?a\nb',
    '',
    'a/b',
    'ftp://h/',
    'javascript:x',
    'http:///x',
    'http://a@b/x',
    'http://a b/x',
  ]) {
    test(`${JSON.stringify(raw)} is refused with 400`, () => {
      const target = parseTarget(raw, usual);
      assert.ok(target instanceof Problem);
      assert.equal(target.status, 400);
    });
  }

  test('its query stays as it is', () => {
    assert.deepEqual(parseTarget('/a/../b?x=%2e%2E//../&y=[1]?', usual), {
      path: '/b',
      query: '?x=%2e%2E//../&y=[1]?',
      authority: undefined,
    });
    assert.deepEqual(parseTarget('/a?', usual), { path: '/a', query: '?', authority: undefined });
  });

  test('slashes stay apart where they are not merged, and never begin an authority', () => {
    const options: TargetOptions = { mergeSlashes: false, encodedSlashes: 'keep' };
    assert.equal(pathOf('/a//b/', options), '/a//b/');
    assert.equal(pathOf('/a//../b', options), '/a/b');
    assert.deepEqual(parseTarget('//evil.test/x', options), { path: '//evil.test/x', query: '', authority: undefined });
  });

  test('encoded slashes are refused where that is asked for', () => {
    const options: TargetOptions = { mergeSlashes: true, encodedSlashes: 'reject' };
    for (const raw of ['/a%2Fb', '/a%2fb', '/a%5Cb']) assert.ok(parseTarget(raw, options) instanceof Problem);
    assert.equal(pathOf('/a%20b?x=%2F', options), '/a%20b');
  });

  test('an absolute target gives its authority', () => {
    assert.deepEqual(parseTarget('HTTP://API.Example.com:80/a/../b?x', usual), {
      path: '/b',
      query: '?x',
      authority: 'api.example.com:80',
    });
    assert.deepEqual(parseTarget('http://h', usual), { path: '/', query: '', authority: 'h' });
    assert.deepEqual(parseTarget('https://[::1]:8443?x', usual), { path: '/', query: '?x', authority: '[::1]:8443' });
  });

  test('a star stands for the server', () => {
    assert.deepEqual(parseTarget('*', usual), { path: '*', query: '', authority: undefined });
  });
});

test('an authority is a host, with or without a port, and nothing else', () => {
  for (const good of ['a', 'a.b-c.example', 'localhost:8000', '127.0.0.1', '[2001:db8::1]', '[::1]:80', 'h:'])
    assert.ok(isAuthority(good), good);
  for (const bad of ['', 'a b', 'a/b', 'u@h', 'h:port', 'h:123456', '[::1', 'a,b c', 'a#b', 'a?b', '::1', 'h:80:80', 'a%zz'])
    assert.ok(!isAuthority(bad), bad);
});

test('the literal of a pattern is written as in a canonical path', () => {
  assert.equal(canonicalLiteral('/café/a b/%7e%2f?'), '/caf%C3%A9/a%20b/~%2F%3F');
});
