import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OptionsError } from '../../src/core/errors.js';
import { compileKey, compileTemplate } from '../../src/gateway/template.js';
import { type Consumer, Exchange } from '../../src/http/exchange.js';

interface Given {
  readonly target?: string;
  readonly headers?: string[];
  readonly client?: string;
  readonly consumer?: Consumer;
  readonly pattern?: string;
}

function exchange({ target = '/api/users/7', headers = [], client = '192.0.2.1', consumer, pattern = '*' }: Given = {}): Exchange {
  const cut = target.includes('?') ? target.indexOf('?') : target.length;
  const made = new Exchange({
    method: 'GET',
    path: target.slice(0, cut),
    query: target.slice(cut),
    host: 'api.test:80',
    scheme: 'http',
    client,
    peer: client,
    trusted: false,
    headers,
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
  });
  made.consumer = consumer;
  made.pattern = pattern;
  return made;
}

const ann: Consumer = { id: 'ann', roles: [], scopes: [], tier: undefined, claims: { sub: 'ann@x', n: 5, list: ['a'] } };

describe('a template', () => {
  const cases: readonly (readonly [template: string, given: Given, text: string])[] = [
    ['user:{path.id}:{query.page}', { target: '/api/users/7?page=2' }, 'user:7:2'],
    ['user:{user_id}', {}, 'user:7'],
    ['user:{path.id}', { target: '/api/users/7/orders' }, 'user:7%2Forders'],
    ['{path.0}/{path.2}', {}, 'api/7'],
    ['{path.9}', {}, ''],
    ['{method} {host}{path}', {}, 'GET api%2Etest%3A80:%2Fapi%2Fusers%2F7'.replace('%2E', '.')],
    ['{header.X-User}', { headers: ['x-user', 'a b'] }, 'a%20b'],
    ['{cookie.sid}', { headers: ['Cookie', 'a=1; sid=x y', 'cookie', 'sid=2'] }, 'x%20y'],
    ['{client}|{ip}', {}, '192.0.2.1|192.0.2.1'],
    ['{consumer}:{claim.sub}:{claim.n}:{claim.list}:{claim.toString}', { consumer: ann }, 'ann:ann%40x:5:%5B%22a%22%5D:'],
    ['{query.q}', { target: '/api/users/7?q=a+b%26c' }, 'a%20b%26c'],
    ['{query.q}', { target: '/api/users/7?q=1&x&q=2' }, '1&2'],
    ['{query.q}', { target: '/api/users/7?qq=1&%71=%zz' }, '%25zz'],
    ['{query.missing}-{header.missing}', {}, '-'],
    ['plain', {}, 'plain'],
  ];
  for (const [template, given, text] of cases)
    test(`${template} is ${text} for ${given.target ?? '/api/users/7'}`, () =>
      assert.equal(compileTemplate(template, '/api/users/*')(exchange(given)), text));

  test('names take the stars of the pattern in turn, the last one all that are left', () => {
    const of = (template: string): string => compileTemplate(template, '/o/*/u/*')(exchange({ target: '/o/1/u/2' }));
    assert.equal(of('{path.org}:{path.id}:{org}'), '1:2:1');
    assert.equal(of('{path.id}'), '1&2');
  });

  test('names take the groups of a regular expression', () => {
    assert.equal(compileTemplate('{path.id}', '^/u/(?<org>.)/(?<id>[^/]+)')(exchange({ target: '/u/1/2/3' })), '2');
  });

  test('takes the pattern of the exchange where it was not told one', () => {
    const of = compileTemplate('{path.id}');
    assert.equal(of(exchange({ pattern: '/api/*' })), 'users%2F7');
    assert.equal(of(exchange({ pattern: '/api/users/*' })), '7');
    assert.equal(of(exchange({ pattern: '/other/*' })), '');
  });

  test('never makes one text of different values', () => {
    const values = ['', 'a', '-', ':', '%', '&', 'a-', '-a', 'x', 'ax', '%2D', '_', '\ud800', '@'];
    for (const template of [
      '{header.a}{header.b}',
      '{header.a}-{header.b}',
      '{header.a}x{header.b}',
      '{header.a}_-{header.b}',
      '{header.a}:{header.b}',
      '{header.a}%{header.b}',
    ]) {
      const of = compileTemplate(template);
      const made = new Set(values.flatMap((a) => values.map((b) => of(exchange({ headers: ['a', a, 'b', b] })))));
      assert.equal(made.size, values.length ** 2, template);
    }
  });

  for (const [template, meant] of [
    ['{headr.x}', 'did you mean "header.x"?'],
    ['{clients}', 'did you mean "client"?'],
    ['{nobody.x}', 'known are ip, client'],
    ['{}', 'known are'],
    ['{constructor.x}', 'known are'],
    ['a{b', 'without a }'],
  ] as const)
    test(`${template} is refused: ${meant}`, () =>
      assert.throws(
        () => compileTemplate(template, '/*'),
        (error: Error) => error instanceof OptionsError && error.message.includes(meant),
      ));

  test('is refused where the pattern has nothing for a name', () => {
    assert.throws(() => compileTemplate('user:{user_id}', '/api/users'), /"\/api\/users" has no \* or group for it/);
    assert.throws(() => compileTemplate('{a}{b}', '/*'), OptionsError);
  });
});

describe('a key', () => {
  const headers = ['X-User', 'ann', 'Cookie', 'sid=s1'];
  const cases: readonly (readonly [spec: string | string[], key: string])[] = [
    ['ip', '192.0.2.1'],
    ['client', '192.0.2.1'],
    ['header:x-user', 'ann'],
    ['consumer', 'ann'],
    ['claim:sub', 'ann%40x'],
    ['cookie:sid', 's1'],
    ['query:q', '1'],
    ['path', '%2Fapi%2Fusers%2F7'],
    ['host', 'api.test%3A80'],
    ['method', 'GET'],
    [['consumer', 'path.1'], 'ann:users'],
    ['user:{header.x-user}', 'user:ann'],
  ];
  for (const [spec, key] of cases)
    test(`${JSON.stringify(spec)} is ${key}`, () =>
      assert.equal(compileKey(spec)(exchange({ target: '/api/users/7?q=1', headers, consumer: ann })), key));

  test('is the address where nothing else tells who asks, and nobody can claim that one', () => {
    for (const spec of [
      'header:x-user',
      'cookie:sid',
      'consumer',
      'claim:sub',
      'query:q',
      'u:{header.x-user}',
      ['header:x-user', 'path'],
    ]) {
      const of = compileKey(spec);
      const one = of(exchange());
      assert.notEqual(one, of(exchange({ client: '192.0.2.2' })), `${String(spec)} is shared`);
      assert.equal(one, of(exchange({ headers: ['x-user', '', 'x-user', ''].slice(0, 2) })));
      for (const forged of ['192.0.2.1', '@192.0.2.1:', one])
        assert.notEqual(compileKey('header:x-user')(exchange({ headers: ['x-user', forged] })), one);
    }
  });

  test('of a list falls back to the address only when none of its parts tells who asks', () => {
    const of = compileKey(['consumer', 'header:x-user']);
    assert.equal(of(exchange({ headers })), ':ann');
    assert.notEqual(of(exchange({ headers: ['x-user', ':ann'] })), of(exchange({ headers })));
    assert.equal(compileKey(['path', 'method'])(exchange()), '%2Fapi%2Fusers%2F7:GET');
  });

  test('counts an IPv6 address with its block of /56, wherever the address stands for who asks', () => {
    const one = '2001:db8:1:2200::1';
    for (const spec of ['ip', ['ip', 'method'], 'u:{client}', 'header:x-user']) {
      const of = compileKey(spec);
      assert.equal(of(exchange({ client: one })), of(exchange({ client: '2001:db8:1:22ff:ffff::9' })), String(spec));
      assert.notEqual(of(exchange({ client: one })), of(exchange({ client: '2001:db8:1:2300::1' })), String(spec));
    }
    assert.equal(compileKey('ip')(exchange({ client: one })), '2001:db8:1:2200::/56');
    const exact = compileTemplate('{client}');
    assert.notEqual(exact(exchange({ client: one })), exact(exchange({ client: '2001:db8:1:22ff:ffff::9' })));
  });

  test('is refused where nobody knows it', () => {
    assert.throws(() => compileKey('header'), OptionsError);
    assert.throws(() => compileKey('heder:x'), /did you mean "header.x"/);
    assert.throws(() => compileKey(['ip', 'user']), /"user" in "user" is no value/);
  });
});
