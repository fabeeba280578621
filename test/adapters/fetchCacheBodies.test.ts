import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { say } from './fetchTools.js';
import { fresh, stage } from './fetchStage.js';

describe('the bodies that the cache of createFetch keeps', () => {
  test('is bounded, in all and for each answer', async (t) => {
    const { server, get } = await stage(
      t,
      (request, response) => say(response, 200, 'x'.repeat(Number(request.url?.split('?')[0]?.slice(1))), fresh),
      {
        maxBytes: 10_000,
        maxEntryBytes: 4000,
      },
    );
    await get('/5000');
    await get('/5000');
    assert.equal(server.asked.length, 2);
    for (const path of ['/2000?a', '/2000?b', '/2000?c']) await get(path);
    await get('/2000?c');
    assert.equal(server.asked.length, 5);
    await get('/2000?a');
    assert.equal(server.asked.length, 6, 'the oldest has gone');
  });

  test('has nothing to do with redirects that are not followed', async (t) => {
    const { server, fetch } = await stage(t, (request, response) =>
      request.url === '/new' ? say(response, 200, 'new', fresh) : say(response, 301, '', { ...fresh, location: '/new' }),
    );
    assert.equal((await fetch(`${server.url}/old`, { redirect: 'manual' })).status, 301);
    assert.equal(await (await fetch(`${server.url}/old`)).text(), 'new');
    await assert.rejects(fetch(`${server.url}/old`, { redirect: 'error' }), TypeError);
  });

  test('lets go of the connection when the caller cancels the body, and never keeps a stream of events', async (t) => {
    let closed = 0;
    const { server, fetch } = await stage(t, (request, response) => {
      response.on('close', () => closed++);
      const type = request.url === '/events' ? 'text/event-stream' : 'text/plain';
      response.writeHead(200, { ...fresh, 'content-type': type }).write('data: one\n\n');
    });
    for (const path of ['/events', '/endless']) {
      const reader = ((await fetch(server.url + path)).body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      const before = closed;
      await reader.cancel();
      const isOpen = (): boolean => closed === before;
      while (isOpen()) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(server.asked.length, 2);
  });

  test('does not keep an answer that breaks off or that the caller leaves', async (t) => {
    const { server, fetch, get } = await stage(t, (_request, response, turn) => {
      if (turn > 1) return say(response, 200, 'whole', fresh);
      response.writeHead(200, { ...fresh, 'content-length': '100' }).write('begin');
      if (turn === 0) setImmediate(() => response.destroy());
    });
    await assert.rejects(get());
    const controller = new AbortController();
    const left = await fetch(server.url, { signal: controller.signal });
    controller.abort();
    await assert.rejects(left.text());
    assert.equal(await get(), 'whole');
    assert.equal(server.asked.length, 3);
  });
});
