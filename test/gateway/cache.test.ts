import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../src/http/body.js';
import { neverStored } from '../../src/http/caching/unstored.js';
import type { Problem } from '../../src/http/problem.js';
import { type Asking, reply, Stage } from './cacheStage.js';

test('the second request is answered from the store, with the age of the answer and its own Date', async () => {
  const stage = new Stage();
  const way = stage.path();
  const date = new Date(stage.clock.now()).toUTCString();
  stage.upstream = () => Promise.resolve(reply('hello', ['Cache-Control', 'max-age=60', 'Date', date]));
  const first = await way.get('/a?x=1');
  assert.deepEqual(
    [first.cache, first.header('cache-status'), first.exchange.cacheResult],
    ['MISS', 'premier; fwd=uri-miss; stored', 'miss'],
  );
  await stage.clock.advance(10);
  const second = await way.get('/a?x=1');
  assert.deepEqual([second.status, second.body, second.cache, second.exchange.cacheResult], [200, 'hello', 'HIT', 'hit']);
  assert.deepEqual([second.header('age'), second.header('date'), second.header('content-length')], ['10', date, '5']);
  assert.equal(second.header('cache-status'), 'premier; hit; ttl=50');
  assert.equal((await way.get('/a?x=2')).cache, 'MISS');
  assert.equal(stage.asked.length, 2);
  assert.deepEqual([stage.runtime.events.counts.cacheHit, stage.runtime.events.counts.cacheMiss], [1, 2]);
});

test('expire_s counts where the upstream says nothing, and without it an answer stays', async () => {
  const stage = new Stage();
  const short = stage.path({ expire_s: 300 });
  await short.get('/short');
  await stage.clock.advance(299);
  assert.equal((await short.get('/short')).cache, 'HIT');
  await stage.clock.advance(2);
  assert.equal((await short.get('/short')).cache, 'MISS');
  const long = stage.path();
  await long.get('/long');
  await stage.clock.advance('30d');
  assert.equal((await long.get('/long')).cache, 'HIT');
});

test('what one client changes on its answer does not reach the stored one', async () => {
  const stage = new Stage();
  const way = stage.path();
  await way.get('/a');
  const { answer } = way.open('/a');
  (await answer).headers.push('Set-Cookie', 'mine');
  assert.equal((await way.get('/a')).header('set-cookie'), undefined);
});

test('nothing of one user reaches another: Authorization, Set-Cookie, private, cookies and consumers', async () => {
  const own = (value: string): Asking => ({ headers: ['Authorization', value] });
  const table: readonly (readonly [name: string, headers: readonly string[], ann: Asking, bob: Asking])[] = [
    ['authorization', [], own('ann'), own('bob')],
    ['authorization with max-age', ['Cache-Control', 'max-age=60'], own('ann'), own('bob')],
    ['authorization, then nobody', [], own('ann'), {}],
    ['nobody, then authorization', [], {}, own('bob')],
    ['set-cookie', ['Set-Cookie', 'session=ann'], {}, {}],
    ['private', ['Cache-Control', 'private, max-age=60'], {}, {}],
    ['cookie', [], { headers: ['Cookie', 'session=ann'] }, { headers: ['Cookie', 'session=bob'] }],
    ['cookie, then nobody', [], { headers: ['Cookie', 'session=ann'] }, {}],
    ['unknown api key', [], { headers: ['X-API-Key', 'ann'] }, { headers: ['X-API-Key', 'bob'] }],
    ['unknown token', [], { headers: ['X-Auth-Token', 'ann'] }, { headers: ['X-Auth-Token', 'bob'] }],
    ['unknown token, then nobody', [], { headers: ['PRIVATE_TOKEN', 'ann'] }, {}],
    ['another address', ['Cache-Control', 'max-age=60'], { headers: ['X-Original-URL', '/admin'] }, {}],
    ['another method', ['Cache-Control', 'max-age=60'], { headers: ['X-HTTP-Method-Override', 'DELETE'] }, {}],
    ['consumer', [], { consumer: 'ann' }, { consumer: 'bob' }],
    ['consumer, then nobody', ['Cache-Control', 'max-age=60'], { consumer: 'ann' }, {}],
    ['vary twice', ['Vary', 'X-A', 'Vary', 'X-B'], { headers: ['X-A', '1', 'X-B', '1'] }, { headers: ['X-A', '1', 'X-B', '2'] }],
    ['vary star', ['Vary', 'X-A, *'], {}, {}],
  ];
  for (const store of [false, true]) {
    for (const [name, headers, ann, bob] of table) {
      if (store && name === 'set-cookie') continue;
      const stage = new Stage();
      const way = stage.path({ expire_s: 60, store_private: store });
      let n = 0;
      stage.upstream = () => Promise.resolve(reply(`answer ${++n}`, headers));
      const first = await way.get('/me', ann);
      const second = await way.get('/me', bob);
      assert.notEqual(second.body, first.body, `${name}, store_private ${String(store)}`);
      assert.equal(second.cache === 'HIT', false, name);
    }
  }
});

test('concurrent requests of two users never share a private answer', async () => {
  for (const headers of [
    ['Cache-Control', 'private'],
    ['Set-Cookie', 'a=b'],
    ['Cache-Control', 'no-store'],
    ['Vary', '*'],
  ]) {
    const stage = new Stage();
    const way = stage.path({ expire_s: 60 });
    let n = 0;
    stage.upstream = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return reply(`answer ${++n}`, headers);
    };
    const got = await Promise.all([way.get('/me'), way.get('/me'), way.get('/me')]);
    assert.equal(new Set(got.map(({ body }) => body)).size, 3, String(headers));
  }
});

test('a consumer gets its own answer again, and all get what the upstream calls public', async () => {
  const stage = new Stage();
  const way = stage.path({ expire_s: 60 });
  stage.upstream = (exchange) => Promise.resolve(reply(String(exchange.consumer?.id)));
  for (const cache of ['MISS', 'HIT'])
    for (const consumer of ['ann', 'bob']) {
      const got = await way.get('/me', { consumer });
      assert.deepEqual([got.body, got.cache], [consumer, cache]);
    }
  stage.upstream = () => Promise.resolve(reply('all', ['Cache-Control', 'public, max-age=9']));
  await way.get('/all', { headers: ['Authorization', 'x'] });
  assert.equal((await way.get('/all', { headers: ['Authorization', 'y'] })).cache, 'HIT');
});

test('store_private keeps each caller an answer of its own; with cache_key the key alone decides', async () => {
  const stage = new Stage();
  const own = stage.path({ expire_s: 60, store_private: true });
  stage.upstream = (exchange) => Promise.resolve(reply(exchange.headers[1] ?? '', ['Cache-Control', 'private, max-age=60']));
  for (const cache of ['MISS', 'HIT'])
    for (const user of ['ann', 'bob']) {
      const got = await own.get('/me', { headers: ['Authorization', user] });
      assert.deepEqual([got.body, got.cache], [user, cache]);
    }
  const keyed = stage.path({ expire_s: 60, store_private: true, cache_key: 'u:{header.x-user}' });
  const asking = (token: string): Asking => ({ headers: ['Authorization', token, 'X-User', 'ann'] });
  assert.equal((await keyed.get('/me', asking('1'))).cache, 'MISS');
  assert.equal((await keyed.get('/me', asking('2'))).cache, 'HIT');
});

test('variants are kept side by side, by Vary and by the configured fields', async () => {
  const stage = new Stage();
  const way = stage.path({ vary: ['X-Tenant'] });
  stage.upstream = (exchange) => Promise.resolve(reply(exchange.headers.join(), ['Vary', 'Accept-Language']));
  const asking = (language: string, tenant: string): Asking => ({ headers: ['Accept-Language', language, 'X-Tenant', tenant] });
  for (const cache of ['MISS', 'HIT'])
    for (const [language, tenant] of [
      ['de', 'a'],
      ['en', 'a'],
      ['de', 'b'],
    ] as const) {
      const got = await way.get('/v', asking(language, tenant));
      assert.deepEqual([got.cache, got.body], [cache, `Accept-Language,${language},X-Tenant,${tenant}`]);
    }
  assert.equal((await way.get('/v', asking('fr', 'a'))).header('cache-status'), 'premier; fwd=vary-miss; stored');
});

test('a cache_key is scoped to its pattern, and its values tell answers apart', async () => {
  const stage = new Stage();
  const users = stage.path({ cache_key: 'x:{path.id}:{query.page}' }, '/users/*');
  const books = stage.path({ cache_key: 'x:{path.id}:{query.page}' }, '/books/*');
  stage.upstream = (exchange) => Promise.resolve(reply(exchange.target));
  assert.equal((await users.get('/users/1?page=2&noise=1')).cache, 'MISS');
  assert.equal((await users.get('/users/1?page=2&noise=2')).cache, 'HIT');
  assert.equal((await users.get('/users/1?page=3')).cache, 'MISS');
  assert.equal((await books.get('/books/1?page=2')).body, '/books/1?page=2');
  await users.get('/users/1?page=2', { method: 'DELETE' });
  assert.equal((await users.get('/users/1?page=2&noise=1')).cache, 'MISS');
});

test('clients are told 304 and given parts from what is stored, and HEAD from what GET stored', async () => {
  const stage = new Stage();
  const way = stage.path();
  stage.upstream = () => Promise.resolve(reply('0123456789', ['Cache-Control', 'max-age=60', 'ETag', '"a"', 'Content-Type', 'text/plain']));
  await way.get('/a');
  const had = await way.get('/a', { headers: ['If-None-Match', '"b", W/"a"'] });
  assert.deepEqual([had.status, had.body, had.header('etag'), had.header('content-length')], [304, '', '"a"', undefined]);
  const part = await way.get('/a', { headers: ['Range', 'bytes=2-4'] });
  assert.deepEqual(
    [part.status, part.body, part.header('content-range'), part.header('content-length')],
    [206, '234', 'bytes 2-4/10', '3'],
  );
  const none = await way.get('/a', { headers: ['Range', 'bytes=20-'] });
  assert.deepEqual([none.status, none.header('content-range')], [416, 'bytes */10']);
  const head = await way.get('/a', { method: 'HEAD' });
  assert.deepEqual([head.status, head.body, head.cache, head.header('content-length')], [200, '', 'HIT', '10']);
  assert.equal(stage.asked.length, 1);
});

test('a request for a part that is not stored goes up as it is, and its answer is not kept', async () => {
  const stage = new Stage();
  const way = stage.path();
  stage.upstream = () => Promise.resolve(reply('234', ['Cache-Control', 'max-age=60', 'Content-Range', 'bytes 2-4/10'], 206));
  assert.equal((await way.get('/a', { headers: ['Range', 'bytes=2-4'] })).cache, 'BYPASS');
  assert.equal((await way.get('/a', { headers: ['Range', 'bytes=2-4'] })).cache, 'BYPASS');
});

test('only-if-cached is always honoured, other wishes only where that is configured', async () => {
  const stage = new Stage();
  const wish = (value: string): Asking => ({ headers: ['Cache-Control', value] });
  const plain = stage.path({ expire_s: 60 });
  await assert.rejects(plain.get('/a', wish('only-if-cached')), (error: Problem) => error.status === 504);
  await plain.get('/a');
  assert.equal((await plain.get('/a', wish('only-if-cached'))).cache, 'HIT');
  assert.equal((await plain.get('/a', wish('no-cache'))).cache, 'HIT');
  assert.equal((await plain.get('/a', wish('no-store'))).cache, 'HIT');
  const polite = stage.path({ expire_s: 60, honor_request: true });
  assert.equal((await polite.get('/a', wish('no-store'))).cache, 'BYPASS');
  assert.equal((await polite.get('/a', wish('no-cache'))).cache, 'MISS');
  await stage.clock.advance(10);
  assert.equal((await polite.get('/a', wish('max-age=20'))).cache, 'HIT');
  assert.equal((await polite.get('/a', wish('max-age=5'))).cache, 'MISS');
});

test('what stands in for a failure is never kept', async () => {
  const stage = new Stage();
  const way = stage.path();
  stage.upstream = () => Promise.resolve(neverStored(reply('sorry')));
  await way.get('/a');
  assert.equal((await way.get('/a')).cache, 'MISS');
});

test('a body on GET does not make an answer that others get', async () => {
  const stage = new Stage();
  const way = stage.path();
  stage.upstream = (exchange) => Promise.resolve(reply(exchange.body === undefined ? 'plain' : 'poison'));
  assert.equal((await way.get('/a', { body: Buffer.from('x') })).cache, 'BYPASS');
  assert.equal((await way.get('/a')).body, 'plain');
});

test('a method with a body can be cached by what it asks', async () => {
  const stage = new Stage();
  const way = stage.path({ methods: ['GET', 'POST'] });
  const post = (body: string): Asking => ({ method: 'POST', body: Buffer.from(body) });
  assert.equal((await way.get('/q', post('one'))).cache, 'MISS');
  assert.equal((await way.get('/q', post('one'))).cache, 'HIT');
  assert.equal((await way.get('/q', post('two'))).cache, 'MISS');
});

test('an error of the upstream is kept only where that is told', async () => {
  const stage = new Stage();
  stage.upstream = () => Promise.resolve(reply('broken', ['Cache-Control', 'max-age=60'], 500));
  const way = stage.path();
  await way.get('/a');
  assert.equal((await way.get('/a')).cache, 'MISS');
  const keeping = stage.path({ store_errors: true });
  await keeping.get('/b');
  const got = await keeping.get('/b');
  assert.deepEqual([got.cache, got.status, got.body], ['HIT', 500, 'broken']);
});

test('an answer with the length that it declares is kept, any other is not', async () => {
  const stage = new Stage();
  const way = stage.path({ max_bytes: 8 });
  for (const [target, body, length, cache] of [
    ['/1', 'hello', '5', 'HIT'],
    ['/2', 'hello', '6', 'MISS'],
    ['/3', 'much too long', '13', 'MISS'],
  ] as const) {
    stage.upstream = () => Promise.resolve(reply(body, ['Content-Length', length]));
    const { answer } = way.open(target);
    await collect((await answer).body, 100);
    assert.equal((await way.get(target)).cache, cache, target);
  }
});
