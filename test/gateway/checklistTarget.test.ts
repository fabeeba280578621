import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../src/gateway/config/configError.js';
import { makeGateway, openGateway, rawRequest, startUpstream } from '../support/gateways.js';
import { head, statusesOf, valuesOf, watched } from './checklistTools.js';

const host = 'Host: api.test';

/** Nobody but those of 192.0.2.1 may see /admin; what is checked must be what is forwarded. */
const guarded = { paths: [{ pattern: '/admin*', features: { access: { ip_allow: ['192.0.2.1'] } } }] };

describe('a rule for a path cannot be walked around', { timeout: 60_000 }, () => {
  const rows: readonly (readonly [target: string, status: number])[] = [
    ['/admin', 403],
    ['/public/../admin', 403],
    ['/public/./../admin', 403],
    ['/public/%2e%2e/admin', 403],
    ['/public/%2E./admin', 403],
    ['/public/.%2e/admin', 403],
    ['//admin', 403],
    ['///admin', 403],
    ['/./admin', 403],
    ['/../../admin', 403],
    ['/x//../admin', 403],
    ['/%61dmin', 403],
    ['/%61%64%6D%69%6e', 403],
    ['/admin/', 403],
    ['/admin?x=/public', 403],
    ['/admin%3Fx', 403],
    ['http://api.test/admin', 403],
    ['http://api.test//public/../admin', 403],
    ['HTTP://API.TEST/admin', 403],
    ['/public/..%2fadmin', 400],
    ['/public%2f..%2fadmin', 400],
    ['/public/..%5cadmin', 400],
    ['/public\\..\\admin', 400],
    ['/public/..\\admin', 400],
    ['/public/..;/admin', 400],
    ['/public/..;a=b/admin', 400],
    ['/.;/admin', 400],
    ['/admin%00', 400],
    ['/public%00/../admin', 400],
    ['/public#/../admin', 400],
    ['/public?#', 400],
    ['/%', 400],
    ['/%4', 400],
    ['/%zz', 400],
    ['/%u0061dmin', 400],
  ];
  for (const [target, status] of rows) {
    test(`${target} is ${status}`, async (t) => {
      const { port, seen } = await watched(t, guarded);
      assert.deepEqual(statusesOf(await rawRequest(port, head(`GET ${target} HTTP/1.1`, host, 'Connection: close'))), [status]);
      assert.deepEqual(seen, []);
    });
  }
});

describe('the upstream sees the path by which everything was decided', { timeout: 60_000 }, () => {
  const rows: readonly (readonly [target: string, forwarded: string])[] = [
    ['/a/..b/c..', '/a/..b/c..'],
    ['/a/.../b', '/a/.../b'],
    ['/a/./b/../c', '/a/c'],
    ['/a/..', '/'],
    ['/a/b/.', '/a/b/'],
    ['/..', '/'],
    ['//evil.test/x', '/evil.test/x'],
    ['/a//b///c', '/a/b/c'],
    ['/%7Ea%2D', '/~a-'],
    ['/a%c3%a9', '/a%C3%A9'],
    ['/%252e%252e/x', '/%252e%252e/x'],
    ['/%c0%ae%c0%ae/x', '/%C0%AE%C0%AE/x'],
    ['/a"b', '/a%22b'],
    ['/a?b=../c&d=%2e%2e', '/a?b=../c&d=%2e%2e'],
    ['/@evil.test/', '/@evil.test/'],
    ['/http://evil.test/', '/http:/evil.test/'],
    ['/a%2Fb', '/a%2Fb'],
    ['http://api.test', '/'],
    ['http://api.test?x', '/?x'],
    ['http://api.test:80/x', '/x'],
  ];
  for (const [target, forwarded] of rows) {
    test(`${target} as ${forwarded}`, async (t) => {
      const { port, seen } = await watched(t);
      assert.deepEqual(statusesOf(await rawRequest(port, head(`GET ${target} HTTP/1.1`, host, 'Connection: close'))), [200]);
      assert.deepEqual(
        seen.map(({ url }) => url),
        [forwarded],
      );
      assert.deepEqual(
        valuesOf(seen[0] as (typeof seen)[number], 'host').map((one) => one.replace(/:80$/, '')),
        ['api.test'],
      );
    });
  }

  test('a refused target does not cost the connection, whose frame is sound', async (t) => {
    const { port, seen } = await watched(t);
    const received = await rawRequest(port, head('GET /%zz HTTP/1.1', host) + head('GET /a HTTP/1.1', host, 'Connection: close'));
    assert.deepEqual(statusesOf(received), [400, 200]);
    assert.equal(seen.length, 1);
  });

  test('an app sees it too', async (t) => {
    const { port } = await openGateway(t, {}, { app: (request, response) => void response.end(`<${request.url}>`) });
    const received = await rawRequest(port, head('GET /a/%2e%2e/%62?c HTTP/1.1', host, 'Connection: close'));
    assert.match(received, /<\/b\?c>/);
  });

  test('OPTIONS * asks the server itself, and is answered', async (t) => {
    const { port } = await watched(t);
    const [status = 0] = statusesOf(await rawRequest(port, head('OPTIONS * HTTP/1.1', host, 'Connection: close')));
    assert.ok(status === 200 || status === 204, String(status));
  });
});

describe('what names no host, or several, is refused', { timeout: 60_000 }, () => {
  const rows: readonly (readonly [name: string, target: string, ...fields: string[]])[] = [
    ['no Host', '/'],
    ['an empty Host', '/', 'Host:'],
    ['two Hosts', '/', host, 'Host: evil.test'],
    ['the same Host twice', '/', host, host],
    ['a Host with a path', '/', 'Host: api.test/admin'],
    ['a Host with user information', '/', 'Host: api.test@evil.test'],
    ['a Host with a space', '/', 'Host: api.test evil.test'],
    ['a Host with a comma', '/', 'Host: api.test, evil.test/'],
    ['a Host with a port that is none', '/', 'Host: api.test:80a'],
    ['a Host with a broken bracket', '/', 'Host: [::1'],
    ['a Host with a backslash', '/', 'Host: api.test\\evil'],
    ['a target of another host', 'http://evil.test/', host],
    ['a target of another port', 'http://api.test:81/', host],
    ['a target with user information', 'http://api.test@evil.test/', 'Host: evil.test'],
    ['a target without a host', 'http:///admin', host],
    ['a target of another scheme', 'file:///etc/passwd', host],
    ['a target of no scheme', 'evil.test:80', host],
    ['a target without a slash', 'admin', host],
    ['* for GET', '*', host],
    ['a target with bytes beyond ASCII', '/\xe4', host],
    ['a target with a tab', '/a\tb', host],
  ];
  for (const [name, target, ...fields] of rows) {
    test(name, async (t) => {
      const { port, seen } = await watched(t);
      assert.deepEqual(statusesOf(await rawRequest(port, head(`GET ${target} HTTP/1.1`, ...fields, 'Connection: close'))), [400]);
      assert.deepEqual(seen, []);
    });
  }
});

describe('a path for one host is not one for a host that looks like it (CVE-2026-55602)', { timeout: 60_000 }, () => {
  const config = {
    paths: [
      { pattern: '/*', host: 'api.test', features: { headers: { response: { set: { 'X-Path': 'exact' } } } } },
      { pattern: '/*', host: '*.wild.test', features: { headers: { response: { set: { 'X-Path': 'wild' } } } } },
    ],
  };
  const rows: readonly (readonly [host: string, path: string | undefined])[] = [
    ['api.test', 'exact'],
    ['API.Test:8000', 'exact'],
    ['api.test.', 'exact'],
    ['evilapi.test', undefined],
    ['api.test.evil.test', undefined],
    ['api-test', undefined],
    ['a.wild.test', 'wild'],
    ['wild.test', undefined],
    ['evilwild.test', undefined],
  ];
  for (const [name, path] of rows) {
    test(name, async (t) => {
      const { port } = await watched(t, config);
      const received = await rawRequest(port, head('GET / HTTP/1.1', `Host: ${name}`, 'Connection: close'));
      assert.equal(/^x-path: (.*)\r$/im.exec(received)?.[1], path);
    });
  }
});

describe('patterns cannot be made to take ages', { timeout: 60_000 }, () => {
  const unsafe = [
    '^/(a+)+$',
    '^/(a*)*b',
    '^/(a|a)*$',
    '^/(.*a){20}$',
    '^/([a-z]+)*@',
    '^/a.*a.*a.*a.*b$',
    '^/(.*)-(.*)-(.*);$',
    '^/\\w+\\w+\\w+;',
    '^/(?:x|.*a.*a.*a;)',
  ];
  for (const pattern of unsafe) {
    test(`${pattern} is refused when it is read`, async (t) => {
      await assert.rejects(makeGateway(t, { servers: ['http://localhost:1'], paths: [{ pattern }] }), ConfigError);
    });
  }

  const bearable = [
    '^/a.*a.*b$',
    '^/(.*)-(.*);$',
    '^/api/[^/]+/x/[^/]+/y/[^/]+/z/[^/]+$',
    '^/.*/a/.*/b/.*$',
    '^/v\\d+/.*\\.(js|css)$',
    '/*a*a*a*a*b',
  ];
  for (const pattern of bearable) {
    test(`${pattern} takes no long time on the longest of paths`, async (t) => {
      const { port } = await watched(t, { paths: [{ pattern }] });
      const started = process.cpuUsage();
      for (const text of ['a-'.repeat(1000), '/a/b'.repeat(500), 'a-'.repeat(4000)])
        assert.equal(statusesOf(await rawRequest(port, head(`GET /${text} HTTP/1.1`, host, 'Connection: close'))).length, 1);
      const { user } = process.cpuUsage(started);
      assert.ok(user < 500_000, `${user / 1000} ms`);
    });
  }

  test('a path of more than 2 KiB is refused where a pattern is a regular expression, so that no rule is left out', async (t) => {
    const { port, seen } = await watched(t, { paths: [{ pattern: '^/admin.*', features: { access: { ip_deny: ['loopback'] } } }] });
    assert.deepEqual(statusesOf(await rawRequest(port, head(`GET /admin${'a'.repeat(3000)} HTTP/1.1`, host, 'Connection: close'))), [414]);
    assert.deepEqual(statusesOf(await rawRequest(port, head(`GET /other?${'a'.repeat(3000)} HTTP/1.1`, host, 'Connection: close'))), [200]);
    assert.equal(seen.length, 1);
  });
});

describe('an upstream cannot lead the gateway, or its clients, elsewhere', { timeout: 60_000 }, () => {
  test('redirects are not followed', async (t) => {
    let reached = 0;
    const other = await startUpstream(t, (_request, response) => void response.end(String(reached++)));
    const upstream = await startUpstream(
      t,
      (_request, response) => void response.writeHead(302, { Location: `${other.url}/secret` }).end(),
    );
    const { port } = await openGateway(t, { servers: [upstream.url] });
    const received = await rawRequest(port, head('GET / HTTP/1.1', host, 'Authorization: Bearer x', 'Connection: close'));
    assert.deepEqual(statusesOf(received), [302]);
    assert.match(received, new RegExp(`^location: ${other.url}/secret\\r$`, 'im'));
    assert.equal(reached, 0);
  });

  test('a redirect to the server itself names the gateway, one to its like does not', async (t) => {
    let location = '';
    const upstream = await startUpstream(t, (_request, response) => void response.writeHead(302, { Location: location }).end());
    const { port } = await openGateway(t, { servers: [upstream.url] });
    const rows: readonly (readonly [given: string, expected: string])[] = [
      [`${upstream.url}/a?b`, 'http://api.test/a?b'],
      [`${upstream.url}0/a`, `${upstream.url}0/a`],
      [`${upstream.url}.evil.test/a`, `${upstream.url}.evil.test/a`],
      [`${upstream.url}@evil.test/a`, `${upstream.url}@evil.test/a`],
      ['/a', '/a'],
      ['//evil.test/a', '//evil.test/a'],
    ];
    for (const [given, expected] of rows) {
      location = given;
      const received = await rawRequest(port, head('GET / HTTP/1.1', host, 'Connection: close'));
      assert.equal(/^location: (.*)\r$/im.exec(received)?.[1], expected);
    }
  });

  test('a cookie that one client gets is not sent for another', async (t) => {
    const cookies: (string | undefined)[] = [];
    const upstream = await startUpstream(t, (request, response) => {
      cookies.push(request.headers.cookie);
      response.setHeader('Set-Cookie', 'session=1').end();
    });
    const { port } = await openGateway(t, { servers: [upstream.url] });
    for (let i = 0; i < 2; i++) await rawRequest(port, head('GET / HTTP/1.1', host, 'Connection: close'));
    assert.deepEqual(cookies, [undefined, undefined]);
  });
});
