import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGateway } from '../support/gateways.js';
import { invalidateHttp } from '../../src/gateway/features/cachePurge.js';
import { Problem } from '../../src/http/problem.js';
import { reply, Stage } from './cacheStage.js';

test('a stale answer is asked about with its validators, and a 304 updates it', async () => {
  const stage = new Stage();
  const way = stage.path();
  stage.upstream = () => Promise.resolve(reply('hello', ['Cache-Control', 'max-age=1', 'ETag', '"a"', 'X-Own', 'old']));
  await way.get('/a', { headers: ['If-None-Match', '"zzz"'] });
  assert.deepEqual(stage.asked[0]?.exchange.assert, [], 'a client with conditions of its own goes up with them');
  await stage.clock.advance(5);
  stage.upstream = () => Promise.resolve(reply(undefined, ['Cache-Control', 'max-age=60', 'ETag', '"a"', 'X-Own', 'new'], 304));
  const got = await way.get('/a');
  assert.deepEqual([got.status, got.body, got.cache, got.header('x-own'), got.header('age')], [200, 'hello', 'REVALIDATED', 'new', '0']);
  assert.equal(got.header('cache-status'), 'premier; fwd=stale; fwd-status=304; ttl=60');
  assert.equal(stage.asked[1]?.exchange.assert[1], '"a"');
  await stage.clock.advance(30);
  const again = await way.get('/a');
  assert.deepEqual([again.cache, again.header('x-own')], ['HIT', 'new']);
  assert.equal(stage.asked.length, 2);
});

test('a change drops its address and what the answer names on the same origin, also by unknown methods', async () => {
  const stage = new Stage();
  const way = stage.path();
  const kept = async (target: string): Promise<boolean> => (await way.get(target)).cache === 'HIT';
  for (const target of ['/a', '/b', '/c', '/d']) await way.get(target);
  const change = (headers: readonly string[], status: number, method = 'POST'): Promise<unknown> => {
    stage.upstream = () => Promise.resolve(reply('', headers, status));
    return way.get('/a', { method }).then(() => (stage.upstream = () => Promise.resolve(reply('hello'))));
  };
  await change([], 500);
  await change([], 404);
  assert.ok(await kept('/a'));
  await change(['Location', '/b', 'Content-Location', 'http://site.test/c'], 201);
  assert.deepEqual([await kept('/a'), await kept('/b'), await kept('/c'), await kept('/d')], [false, false, false, true]);
  await change(['Location', 'http://other.test/d'], 302, 'FROBNICATE');
  assert.deepEqual([await kept('/a'), await kept('/d')], [false, true]);
  await change([], 200, 'OPTIONS');
  assert.ok(await kept('/a'));
});

test('an answer that was asked for before a change does not come back after it', async () => {
  const stage = new Stage();
  const way = stage.path();
  let answer: (value: ReturnType<typeof reply>) => void = () => undefined;
  stage.upstream = (exchange) =>
    exchange.method === 'GET' ? new Promise((resolve) => (answer = resolve)) : Promise.resolve(reply('', [], 204));
  const old = way.get('/a');
  const answerOld = answer;
  await way.get('/a', { method: 'PUT' });
  const late = way.get('/a');
  const answerLate = answer;
  answerOld(reply('old'));
  assert.equal((await old).body, 'old');
  assert.equal(stage.asked.length, 3, 'who comes after the change does not wait for the old answer');
  answerLate(reply('new'));
  assert.equal((await late).body, 'new');
  stage.upstream = () => Promise.resolve(reply('never'));
  assert.equal((await way.get('/a')).body, 'new');
});

test('a person drops one path, all below a prefix, one cache_key or everything', async () => {
  const stage = new Stage();
  const way = stage.path();
  const keyed = stage.path({ cache_key: 'k:{query.q}' });
  const fill = async (): Promise<void> => {
    for (const target of ['/a', '/a?x=1', '/ab', '/b/1']) await way.get(target, { headers: ['Accept', '1'] });
    await keyed.get('/k?q=1');
  };
  const left = async (): Promise<string> => {
    const asked = stage.asked.length;
    const found: string[] = [];
    for (const target of ['/a', '/a?x=1', '/ab', '/b/1']) if ((await way.get(target)).cache === 'HIT') found.push(target);
    if ((await keyed.get('/k?q=1')).cache === 'HIT') found.push('k');
    assert.ok(stage.asked.length - asked + found.length === 5);
    return found.join(' ');
  };
  await fill();
  await invalidateHttp(stage.runtime, { path: '/a' });
  assert.equal(await left(), '/ab /b/1 k');
  await invalidateHttp(stage.runtime, { prefix: '/a' });
  assert.equal(await left(), '/b/1 k');
  await invalidateHttp(stage.runtime, { key: 'k:1' });
  assert.equal(await left(), '/a /a?x=1 /ab /b/1');
  await invalidateHttp(stage.runtime, { all: true });
  assert.equal(await left(), '');
});

test('while a stale answer may be served, one refresh runs in the background', async () => {
  const stage = new Stage();
  const way = stage.path({ expire_s: 10, stale_s: 30 });
  let n = 0;
  stage.upstream = () => Promise.resolve(reply(`answer ${++n}`));
  await way.get('/a');
  await stage.clock.advance(15);
  const got = await Promise.all([way.get('/a'), way.get('/a'), way.get('/a')]);
  assert.deepEqual(
    got.map(({ body, cache }) => [body, cache]),
    Array.from({ length: 3 }, () => ['answer 1', 'STALE']),
  );
  assert.equal(got[0]?.header('cache-status'), 'premier; hit; ttl=-5');
  await stage.clock.advance(0);
  assert.equal(stage.asked.length, 2);
  const fresh = await way.get('/a');
  assert.deepEqual([fresh.body, fresh.cache], ['answer 2', 'HIT']);
  await stage.clock.advance(41);
  assert.equal((await way.get('/a')).cache, 'MISS');
});

test('when the upstream fails, a stale answer stands in for as long as that is allowed', async () => {
  const failures: readonly (() => Promise<never> | Promise<ReturnType<typeof reply>>)[] = [
    () => Promise.reject(new Problem('bad_gateway')),
    () => Promise.reject(new Problem('gateway_timeout')),
    () => Promise.resolve(reply('broken', [], 503)),
  ];
  for (const fail of failures) {
    const stage = new Stage();
    const way = stage.path({ expire_s: 10, stale_if_error_s: 60 });
    await way.get('/a');
    await stage.clock.advance(20);
    stage.upstream = fail;
    const got = await way.get('/a');
    assert.deepEqual([got.status, got.body, got.cache], [200, 'hello', 'STALE']);
    await stage.clock.advance(60);
    const gone = await way.get('/a').then(
      ({ status }) => status,
      (error: Problem) => error.status,
    );
    assert.ok(gone >= 500);
  }
});

test('a stale answer never stands in where must-revalidate forbids it', async () => {
  const stage = new Stage();
  const way = stage.path({ stale_s: 60, stale_if_error_s: 60 });
  stage.upstream = () => Promise.resolve(reply('hello', ['Cache-Control', 'max-age=1, must-revalidate', 'ETag', '"a"']));
  await way.get('/a');
  await stage.clock.advance(5);
  stage.upstream = () => Promise.reject(new Problem('bad_gateway'));
  await assert.rejects(way.get('/a'), /upstream did not answer/);
});

test('a gateway drops its cached answers when it is told to', async (t) => {
  let asked = 0;
  const { gateway, url } = await openGateway(
    t,
    { default_features: { cache: { expire_s: 60 } } },
    { app: { fetch: () => new Response(String(++asked)) } },
  );
  const get = async (path: string): Promise<string> => (await fetch(url + path)).text();
  assert.deepEqual([await get('/a'), await get('/b'), await get('/a')], ['1', '2', '1']);
  await gateway.invalidate({ path: '/a' });
  assert.deepEqual([await get('/a'), await get('/b')], ['3', '2']);
});
