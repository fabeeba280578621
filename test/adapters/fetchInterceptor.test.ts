import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Agent, Client, type Dispatcher, fetch as undiciFetch, getGlobalDispatcher, Pool, request, setGlobalDispatcher } from 'undici';
import { type InterceptorOptions, premierInterceptor } from '../../src/adapters/fetch/index.js';
import { CircuitBreakerOpenError, OptionsError, Premier, QuotaExceedsError, TimeoutError } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { next, say, serve } from './fetchTools.js';
import type { TestContext } from 'node:test';

function agentOf(t: TestContext, options: InterceptorOptions): Dispatcher {
  const agent = new Agent();
  t.after(() => agent.destroy());
  return agent.compose(premierInterceptor(options));
}

const quick = { wait: 0 };

describe('premierInterceptor', () => {
  test('tries again, and gives the good reply whole', async (t) => {
    const long = 'x'.repeat(500_000);
    const server = await serve(t, (_request, response, turn) =>
      say(response, turn < 2 ? 503 : 200, turn < 2 ? 'no' : long, { 'x-a': 'b' }),
    );
    const { statusCode, headers, body } = await request(server.url, { dispatcher: agentOf(t, { retry: quick }) });
    assert.equal(statusCode, 200);
    assert.equal(headers['x-a'], 'b');
    assert.equal((await body.text()).length, long.length);
    assert.equal(server.asked.length, 3);
    assert.equal(server.sockets, 1, 'short failures are read to their end, and the connection is used again');
  });

  test('gives the last 503 when no attempt is left, and sends a stream once', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 503, 'down'));
    const dispatcher = agentOf(t, { retry: quick });
    const reply = await request(server.url, { dispatcher, method: 'PUT', body: 'text' });
    assert.deepEqual([reply.statusCode, await reply.body.text()], [503, 'down']);
    assert.deepEqual(server.asked, ['PUT / text', 'PUT / text', 'PUT / text']);
    const streamed = await request(server.url, {
      dispatcher,
      method: 'PUT',
      body: (async function* () {
        yield 'a';
      })() as never,
    });
    assert.equal(streamed.statusCode, 503);
    await streamed.body.dump();
    assert.equal(server.asked.length, 4);
  });

  test('looks for an Idempotency-Key in fields of every shape', async (t) => {
    const server = await serve(t, (_request, response, turn) => say(response, turn % 2 === 0 ? 503 : 200));
    const dispatcher = agentOf(t, { retry: quick });
    for (const headers of [{ 'Idempotency-Key': '1' }, ['Idempotency-Key', '1'], new Headers({ 'Idempotency-Key': '1' })]) {
      const reply = await request(server.url, { dispatcher, method: 'POST', body: 'a', headers: headers as string[] });
      assert.equal(reply.statusCode, 200);
      await reply.body.dump();
    }
    const plain = await request(server.url, { dispatcher, method: 'POST', body: 'a' });
    assert.equal(plain.statusCode, 503);
    await plain.body.dump();
  });

  test('waits for Retry-After', async (t) => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const server = await serve(t, (_request, response, turn) =>
      turn === 0 ? say(response, 429, '', { 'retry-after': '5' }) : say(response, 200),
    );
    const retried = next(premier, 'retried');
    const pending = request(server.url, { dispatcher: agentOf(t, { premier, retry: quick }) });
    assert.equal((await retried).wait, 5);
    await clock.advance(5);
    assert.equal((await pending).statusCode, 200);
  });

  test('opens circuits, limits by host, and throws what the policies throw', async (t) => {
    const premier = new Premier({ clock: new FakeClock() });
    const server = await serve(t, (_request, response) => say(response, 500));
    const broken = agentOf(t, {
      premier,
      circuitBreaker: { failureThreshold: 1 },
      hosts: { localhost: { rateLimit: { quota: 1, duration: 60 } } },
    });
    await (await request(server.url, { dispatcher: broken })).body.dump();
    await assert.rejects(request(server.url, { dispatcher: broken }), CircuitBreakerOpenError);
    await (await request(server.other, { dispatcher: broken })).body.dump();
    await assert.rejects(request(server.other, { dispatcher: broken }), QuotaExceedsError);
    await assert.rejects(undiciFetch(server.url, { dispatcher: broken }), (error: Error) => error.cause instanceof CircuitBreakerOpenError);
  });

  test('ends what takes too long, and the request with it', async (t) => {
    let closed: Promise<unknown> | undefined;
    const server = await serve(t, (_request, response) => {
      closed = new Promise((resolve) => response.on('close', resolve));
    });
    await assert.rejects(request(server.url, { dispatcher: agentOf(t, { timeout: '40ms' }) }), TimeoutError);
    await closed;
    const agent = agentOf(t, { retry: quick, timeout: { perTry: '40ms' } });
    await assert.rejects(request(server.url, { dispatcher: agent }), TimeoutError);
    assert.equal(server.asked.length, 4);
  });

  test('ends a body that takes too long', async (t) => {
    const clock = new FakeClock();
    const server = await serve(t, (_request, response) => response.writeHead(200).write('begin'));
    const { body } = await request(server.url, { dispatcher: agentOf(t, { premier: new Premier({ clock }), timeout: { body: 5 } }) });
    const ended = assert.rejects(body.text(), TimeoutError);
    await clock.advance(5);
    await ended;
  });

  test("obeys the caller's signal, also while it waits", async (t) => {
    const premier = new Premier({ clock: new FakeClock() });
    const server = await serve(t, (_request, response) => say(response, 503));
    const dispatcher = agentOf(t, { premier, retry: { wait: 60 } });
    const controller = new AbortController();
    const retried = next(premier, 'retried');
    const pending = request(server.url, { dispatcher, signal: controller.signal });
    await retried;
    controller.abort(new Error('enough'));
    await assert.rejects(pending, /enough/);
    assert.equal(server.asked.length, 1);
    await assert.rejects(request(server.url, { dispatcher, signal: AbortSignal.abort(new Error('before')) }), /before/);
  });

  test('keeps back-pressure: a slow reader is not drowned', async (t) => {
    let written = 0;
    const server = await serve(t, (_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        for (let room = true; room && written < 50_000_000; written += 65_536) room = response.write(Buffer.alloc(65_536));
        if (written < 50_000_000) response.once('drain', more);
        else response.end();
      };
      more();
    });
    const { body } = await request(server.url, { dispatcher: agentOf(t, { retry: quick }) });
    await new Promise((resolve) => body.once('readable', resolve));
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(written < 40_000_000, `${written} bytes were taken that nobody read`);
    let read = 0;
    for await (const chunk of body) read += (chunk as Buffer).length;
    assert.ok(read >= 50_000_000);
  });

  test('works under fetch of undici', async (t) => {
    const server = await serve(t, (_request, response, turn) => say(response, turn === 0 ? 503 : 200, 'fine'));
    const response = await undiciFetch(server.url, { dispatcher: agentOf(t, { retry: quick }) });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), 'fine');
  });

  test('works under the fetch of Node', async (t) => {
    const server = await serve(t, (_request, response, turn) => say(response, turn === 0 ? 503 : 200, 'fine'));
    const before = getGlobalDispatcher();
    t.after(() => setGlobalDispatcher(before));
    setGlobalDispatcher(agentOf(t, { retry: quick, timeout: 5 }));
    const response = await fetch(server.url);
    assert.equal(await response.text(), 'fine');
    assert.equal(server.asked.length, 2);
  });

  test('has the policies for all on a Pool and on a Client, which do not tell their origin', async (t) => {
    for (const kind of [Pool, Client]) {
      const server = await serve(t, (_request, response, turn) => say(response, turn === 0 ? 503 : 200, 'fine'));
      const pool = new kind(server.url);
      t.after(() => pool.close());
      const { body } = await pool.compose(premierInterceptor({ retry: quick })).request({ path: '/', method: 'GET' });
      assert.equal(await body.text(), 'fine');
      assert.equal(server.asked.length, 2);
    }
  });

  test('lets upgrades and CONNECT pass by', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 200));
    const dispatcher = agentOf(t, { rateLimit: { quota: 1, duration: 60 } });
    for (let i = 0; i < 2; i++)
      await assert.rejects(dispatcher.upgrade({ path: '/', method: 'GET', protocol: 'x', origin: server.url } as never), /bad upgrade/);
  });

  test('says what is wrong with its options', () => {
    assert.throws(() => premierInterceptor({ cache: {} } as object), OptionsError);
    assert.throws(() => premierInterceptor({ retry: { maxAttempts: 0 } }), /premierInterceptor: retry: option "maxAttempts"/);
  });
});
