import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { say } from './fetchTools.js';
import { fresh, settled, stage } from './fetchStage.js';

describe('cache of createFetch', () => {
  test('keeps what is fresh, and gives everybody a body of their own', async (t) => {
    const { clock, server, fetch, get } = await stage(t, (_request, response, turn) => say(response, 200, `book ${turn}`, fresh));
    assert.equal(await get('/a'), 'book 0');
    await clock.advance(59);
    const [one, two] = await Promise.all([fetch(`${server.url}/a#part`), fetch(`${server.url}/a`)]);
    assert.equal(one.url, `${server.url}/a#part`);
    assert.equal(one.headers.get('age'), '59');
    assert.match(one.headers.get('cache-status') ?? '', /^premier; hit; ttl=/);
    assert.deepEqual([await one.text(), await two.text()], ['book 0', 'book 0']);
    await clock.advance(2);
    assert.equal(await get('/a'), 'book 1');
    assert.equal(await get('/b'), 'book 2');
  });

  test('asks with the validators of what is stale, and a 304 makes it fresh', async (t) => {
    const conditions: unknown[] = [];
    const { clock, server, fetch, get } = await stage(t, (request, response) => {
      conditions.push(request.headers['if-none-match'] ?? request.headers['if-modified-since']);
      if (request.headers['if-none-match'] === '"1"')
        return say(response, 304, '', { etag: '"1"', 'cache-control': 'max-age=30', 'x-n': '2' });
      say(response, 200, 'book', { etag: '"1"', 'cache-control': 'max-age=10', 'x-n': '1' });
    });
    assert.equal(await get(), 'book');
    await clock.advance(11);
    const renewed = await fetch(server.url);
    assert.deepEqual([renewed.status, await renewed.text(), renewed.headers.get('x-n')], [200, 'book', '2']);
    await clock.advance(29);
    assert.equal(await get(), 'book');
    assert.deepEqual(conditions, [undefined, '"1"']);
  });

  test('asks with Last-Modified, and before each use when told no-cache', async (t) => {
    const conditions: unknown[] = [];
    const modified = new Date(Date.now() - 1000).toUTCString();
    const { get } = await stage(t, (request, response) => {
      conditions.push(request.headers['if-modified-since']);
      if (request.headers['if-modified-since'] !== undefined) return say(response, 304);
      say(response, 200, 'book', { 'last-modified': modified, 'cache-control': 'no-cache' });
    });
    assert.deepEqual([await get(), await get(), await get()], ['book', 'book', 'book']);
    assert.deepEqual(conditions, [undefined, modified, modified]);
  });

  test('is private: it keeps what is for one credential, and gives it to no other', async (t) => {
    const { server, get } = await stage(t, (request, response) =>
      say(response, 200, String(request.headers.authorization ?? request.headers['x-api-key'] ?? request.headers.cookie), {
        'cache-control': 'private, max-age=60',
      }),
    );
    for (let i = 0; i < 2; i++) {
      assert.equal(await get('/', { headers: { authorization: 'a' } }), 'a');
      assert.equal(await get('/', { headers: { authorization: 'b' } }), 'b');
      assert.equal(await get('/', { headers: { 'x-api-key': 'c' } }), 'c');
      assert.equal(await get('/', { headers: { cookie: 'd=1' } }), 'd=1');
      assert.equal(await get(), 'undefined');
    }
    assert.equal(server.asked.length, 5);
  });

  test('does not hear what is said to shared caches', async (t) => {
    const { clock, server, get } = await stage(t, (request, response) => {
      const said: Record<string, Record<string, string>> = {
        '/s': { 'cache-control': 's-maxage=600, max-age=10' },
        '/only': { 'cache-control': 's-maxage=600' },
        '/cdn': { 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=600' },
      };
      say(response, 200, 'x', said[request.url ?? '']);
    });
    await get('/s');
    await clock.advance(11);
    await get('/s');
    await get('/only');
    await get('/only');
    await get('/cdn');
    await get('/cdn');
    assert.equal(server.asked.length, 6);
  });

  test('keeps the answers apart that Vary tells apart', async (t) => {
    const { server, get } = await stage(t, (request, response) =>
      say(response, 200, String(request.headers['accept-language']), { ...fresh, vary: request.url === '/all' ? '*' : 'Accept-Language' }),
    );
    for (let i = 0; i < 2; i++)
      for (const language of ['de', 'fr']) assert.equal(await get('/', { headers: { 'accept-language': language } }), language);
    assert.equal(server.asked.length, 2);
    await get('/all');
    await get('/all');
    assert.equal(server.asked.length, 4);
  });

  test('does not keep no-store, Set-Cookie, redirected and 5xx answers, nor parts', async (t) => {
    const { server, get } = await stage(t, (request, response) => {
      if (request.url === '/store') return say(response, 200, 'x', { 'cache-control': 'no-store, max-age=60' });
      if (request.url === '/cookie') return say(response, 200, 'x', { ...fresh, 'set-cookie': 'a=b' });
      if (request.url === '/moved') return say(response, 302, '', { location: '/new' });
      if (request.url === '/500') return say(response, 500, 'x', fresh);
      return say(response, 200, 'x', fresh);
    });
    for (const path of ['/store', '/cookie', '/500']) {
      await get(path);
      await get(path);
    }
    assert.equal(server.asked.length, 6);
    await get('/part', { headers: { range: 'bytes=0-0' } });
    await get('/part', { headers: { range: 'bytes=0-0' } });
    await get('/if', { headers: { 'if-none-match': '"x"' } });
    await get('/if', { headers: { 'if-none-match': '"x"' } });
    assert.equal(server.asked.length, 10);
    await get('/moved');
    await get('/moved');
    assert.equal(server.asked.length, 14);
  });

  test('answers HEAD from what GET has left, and does not keep it', async (t) => {
    const { server, fetch, get } = await stage(t, (_request, response) => say(response, 200, 'book', fresh));
    await fetch(server.url, { method: 'HEAD' });
    await get();
    const head = await fetch(server.url, { method: 'HEAD' });
    assert.equal(head.body, null);
    assert.equal(head.headers.get('content-length'), '4');
    assert.deepEqual(server.asked, ['HEAD /', 'GET /']);
  });

  test('drops what a change has changed, also what was on its way', async (t) => {
    let hold: (() => void) | undefined;
    const { server, fetch, get } = await stage(t, (request, response, turn) => {
      if (request.method === 'PUT') return say(response, 204, '', { 'content-location': '/list' });
      if (request.url === '/slow' && hold === undefined) hold = () => say(response, 200, 'old', fresh);
      else say(response, 200, String(turn), fresh);
    });
    await get('/one');
    await get('/list');
    await fetch(`${server.url}/one`, { method: 'PUT', body: 'x' });
    assert.equal(await get('/one'), '3');
    assert.equal(await get('/list'), '4');
    const slow = get('/slow');
    while (server.asked.length < 6) await new Promise((resolve) => setImmediate(resolve));
    await fetch(`${server.url}/slow`, { method: 'PUT', body: 'x' });
    hold?.();
    assert.equal(await slow, 'old');
    assert.equal(await get('/slow'), '7');
  });

  test('heeds the option cache and the Cache-Control of the request', async (t) => {
    const { clock, server, fetch, get } = await stage(t, (_request, response, turn) => say(response, 200, String(turn), fresh));
    const missing = await fetch(server.url, { cache: 'only-if-cached', mode: 'same-origin' });
    assert.equal(missing.status, 504);
    assert.equal(await get(), '0');
    assert.equal(await get('/', { cache: 'no-store' }), '1');
    assert.equal(await get('/', { headers: { 'cache-control': 'no-store' } }), '2');
    assert.equal(await get(), '0');
    assert.equal(await get('/', { cache: 'reload' }), '3');
    assert.equal(await get('/', { headers: { 'cache-control': 'no-cache' } }), '4');
    assert.equal(await get(), '4');
    await clock.advance(30);
    assert.equal(await get('/', { headers: { 'cache-control': 'max-age=40' } }), '4');
    assert.equal(await get('/', { headers: { 'cache-control': 'max-age=20' } }), '5');
    assert.equal(await get('/', { cache: 'force-cache' }), '5');
  });

  test('gives what is stale while it asks for a new answer, once', async (t) => {
    const { clock, server, premier, get } = await stage(
      t,
      (_request, response, turn) => say(response, 200, String(turn), { 'cache-control': 'max-age=10' }),
      {
        staleS: 60,
      },
    );
    assert.equal(await get(), '0');
    await clock.advance(20);
    const controller = new AbortController();
    assert.deepEqual(await Promise.all([get('/', { signal: controller.signal }), get()]), ['0', '0']);
    controller.abort();
    while (server.asked.length < 2) await settled();
    await settled();
    await settled();
    assert.equal(await get(), '1');
    assert.equal(server.asked.length, 2);
    assert.equal(premier.stats().events.cacheStale, 2);
  });

  test('gives what is stale when the server fails, as long as it may', async (t) => {
    const { clock, server, get, fetch } = await stage(
      t,
      (request, response, turn) => {
        if (turn === 0) return say(response, 200, 'book', { 'cache-control': 'max-age=10', etag: '"1"' });
        return turn === 1 ? say(response, 503) : request.socket.destroy();
      },
      { staleIfErrorS: 100 },
    );
    await get();
    await clock.advance(20);
    assert.equal(await get(), 'book');
    assert.equal(await get(), 'book');
    await clock.advance(200);
    await assert.rejects(fetch(server.url), TypeError);
  });
});
