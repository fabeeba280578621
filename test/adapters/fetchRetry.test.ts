import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFetch } from '../../src/adapters/fetch/index.js';
import { CircuitBreakerOpenError, Premier } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { next, say, serve } from './fetchTools.js';

const quick = { wait: 0 };

describe('retry of createFetch', () => {
  test('tries again after 429, 502, 503 and 504, and returns the good response', async (t) => {
    for (const status of [429, 502, 503, 504]) {
      const server = await serve(t, (_request, response, turn) => say(response, turn === 0 ? status : 200, 'fine'));
      const response = await createFetch({ retry: quick })(`${server.url}/books`);
      assert.equal(response.status, 200);
      assert.equal(await response.text(), 'fine');
      assert.equal(server.asked.length, 2);
    }
  });

  test('returns the last 503 with its body when no attempt is left', async (t) => {
    const server = await serve(t, (_request, response, turn) => say(response, 503, `no ${turn}`, { 'x-turn': String(turn) }));
    const response = await createFetch({ retry: { ...quick, maxAttempts: 3 } })(server.url);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('x-turn'), '2');
    assert.equal(await response.text(), 'no 2');
  });

  test('leaves 500, 404 and other statuses as they are, unless asked', async (t) => {
    const server = await serve(t, (request, response) => say(response, Number(request.url?.slice(1))));
    const fetch = createFetch({ retry: quick });
    assert.equal((await fetch(`${server.url}/500`)).status, 500);
    assert.equal((await fetch(`${server.url}/404`)).status, 404);
    assert.equal(server.asked.length, 2);
    assert.equal((await createFetch({ retry: { ...quick, statuses: [500] } })(`${server.url}/500`)).status, 500);
    assert.equal(server.asked.length, 5);
  });

  test('does not send a POST twice, but one with an Idempotency-Key', async (t) => {
    const server = await serve(t, (_request, response, turn) => say(response, turn === 0 || turn === 1 ? 503 : 200));
    const fetch = createFetch({ retry: quick });
    assert.equal((await fetch(server.url, { method: 'POST', body: 'a' })).status, 503);
    assert.deepEqual(server.asked, ['POST / a']);
    const keyed = await fetch(server.url, { method: 'POST', body: 'b', headers: { 'Idempotency-Key': '7' } });
    assert.equal(keyed.status, 200);
    assert.deepEqual(server.asked, ['POST / a', 'POST / b', 'POST / b']);
  });

  test('sends texts, bytes, forms and the short body of a Request again', async (t) => {
    const bodies: [string, RequestInit['body']][] = [
      ['text', 'text'],
      ['bytes', new TextEncoder().encode('bytes')],
      ['blob', new Blob(['blob'])],
      ['a=b', new URLSearchParams({ a: 'b' })],
    ];
    for (const [sent, body] of bodies) {
      const server = await serve(t, (_request, response, turn) => say(response, turn === 0 ? 503 : 200));
      await createFetch({ retry: quick })(server.url, { method: 'PUT', body: body as BodyInit });
      assert.deepEqual(server.asked, [`PUT / ${sent}`, `PUT / ${sent}`]);
    }
    const server = await serve(t, (request, response, turn) => say(response, turn === 0 ? 503 : 200, request.headers['content-type']));
    const response = await createFetch({ retry: quick })(
      new Request(server.url, { method: 'PUT', body: '{}', headers: { 'content-type': 'application/json' } }),
    );
    assert.equal(await response.text(), 'application/json');
    assert.deepEqual(server.asked, ['PUT / {}', 'PUT / {}']);
  });

  test('sends a stream once', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 503));
    const body = new Blob(['streamed']).stream();
    const response = await createFetch({ retry: quick })(server.url, { method: 'PUT', body, duplex: 'half' } as RequestInit);
    assert.equal(response.status, 503);
    assert.deepEqual(server.asked, ['PUT / streamed']);
  });

  test('sends the long body of a Request whole, and once', async (t) => {
    const lengths: number[] = [];
    const server = await serve(t, (_request, response) => say(response, 503));
    const fetch = createFetch({
      retry: quick,
      fetch: (input, init) => {
        lengths.push(0);
        return globalThis.fetch(input, init);
      },
    });
    const long = 'x'.repeat(3_000_000);
    assert.equal((await fetch(new Request(server.url, { method: 'PUT', body: long }))).status, 503);
    assert.equal(server.asked[0]?.length, 'PUT / '.length + long.length);
    assert.equal(lengths.length, 1);
  });

  test('tries again when the connection breaks, and throws the error of fetch when it always does', async (t) => {
    const server = await serve(t, (request, response, turn) => (turn === 0 ? request.socket.destroy() : say(response, 200)));
    assert.equal((await createFetch({ retry: quick })(server.url)).status, 200);
    await server.close();
    const premier = new Premier();
    await assert.rejects(
      createFetch({ premier, retry: quick })(server.url),
      (error: Error) => error instanceof TypeError && error.message === 'fetch failed',
    );
    assert.equal(premier.stats().events.retried, 2);
  });

  test('does not repeat what is wrong in itself', async (t) => {
    const server = await serve(t, (_request, response) => response.writeHead(302, { location: '/' }).end());
    const premier = new Premier();
    const fetch = createFetch({ premier, retry: quick, circuitBreaker: { failureThreshold: 1 } });
    await assert.rejects(fetch('/relative'), /Failed to parse URL/);
    await assert.rejects(fetch(server.url, { redirect: 'error' }), TypeError);
    await assert.rejects(fetch(new URL('http://user:secret@127.0.0.1/')), TypeError);
    assert.equal(premier.stats().events.retried, 0);
    assert.equal(premier.stats().events.circuitOpened, 0);
  });

  test('waits as long as Retry-After says, in seconds', async (t) => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const server = await serve(t, (_request, response, turn) =>
      turn === 0 ? say(response, 503, '', { 'retry-after': '7' }) : say(response, 200),
    );
    const retried = next(premier, 'retried');
    const pending = createFetch({ premier, retry: quick })(server.url);
    assert.equal((await retried).wait, 7);
    await clock.advance(6.9);
    assert.equal(server.asked.length, 1);
    await clock.advance(0.1);
    assert.equal((await pending).status, 200);
  });

  test('waits until the date that Retry-After says', async (t) => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const date = new Date(clock.now() + 90_000).toUTCString();
    const server = await serve(t, (_request, response, turn) =>
      turn === 0 ? say(response, 429, '', { 'retry-after': date }) : say(response, 200),
    );
    const retried = next(premier, 'retried');
    const pending = createFetch({ premier, retry: quick })(server.url);
    assert.equal((await retried).wait, 90);
    await clock.advance(90);
    assert.equal((await pending).status, 200);
  });

  test('returns the answer at once when Retry-After reaches beyond the timeout', async (t) => {
    const premier = new Premier({ clock: new FakeClock() });
    const server = await serve(t, (_request, response) => say(response, 503, '', { 'retry-after': '60' }));
    const response = await createFetch({ premier, retry: quick, timeout: 30 })(server.url);
    assert.equal(response.status, 503);
    assert.equal(server.asked.length, 1);
  });

  test('lets go of the responses that another one replaces', async (t) => {
    const closed: Promise<unknown>[] = [];
    const server = await serve(t, (_request, response, turn) => {
      if (turn === 2) return say(response, 200, 'fine');
      response.writeHead(503).write('x'.repeat(1_000_000));
      closed.push(new Promise((resolve) => response.on('close', resolve)));
    });
    const response = await createFetch({ retry: quick })(server.url);
    assert.equal(await response.text(), 'fine');
    await Promise.all(closed);
    assert.equal(closed.length, 2);
  });

  test('lets go of the response that it holds when the caller aborts the wait', async (t) => {
    const premier = new Premier({ clock: new FakeClock() });
    let closed: Promise<unknown> | undefined;
    const server = await serve(t, (_request, response) => {
      response.writeHead(503).write('x'.repeat(1_000_000));
      closed = new Promise((resolve) => response.on('close', resolve));
    });
    const controller = new AbortController();
    const retried = next(premier, 'retried');
    const pending = createFetch({ premier, retry: { wait: 60 } })(server.url, { signal: controller.signal });
    await retried;
    controller.abort(new Error('enough'));
    await assert.rejects(pending, /enough/);
    await closed;
  });

  test('returns what was answered when a circuit ends the retries', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 503, 'down'));
    const fetch = createFetch({ retry: { ...quick, maxAttempts: 5 }, circuitBreaker: { failureThreshold: 2 } });
    const response = await fetch(server.url);
    assert.equal(response.status, 503);
    assert.equal(await response.text(), 'down');
    assert.equal(server.asked.length, 2);
    await assert.rejects(fetch(server.url), (error) => error instanceof CircuitBreakerOpenError);
  });

  test('follows redirects as fetch does, and begins at the first address again', async (t) => {
    let failed = false;
    const server = await serve(t, (request, response) => {
      if (request.url === '/old') return say(response, 302, '', { location: '/new' });
      if (failed) return say(response, 200, 'moved');
      failed = true;
      say(response, 503);
    });
    const response = await createFetch({ retry: quick })(`${server.url}/old`);
    assert.equal(response.url, `${server.url}/new`);
    assert.equal(response.redirected, true);
    assert.deepEqual(server.asked, ['GET /old', 'GET /new', 'GET /old', 'GET /new']);
  });

  test('spends no more retries than its budget', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 503));
    const fetch = createFetch({ retry: { ...quick, budget: { ratio: 0, min: 2 } } });
    for (let i = 0; i < 4; i++) await (await fetch(server.url)).text();
    assert.equal(server.asked.length, 4 + 2);
  });
});
