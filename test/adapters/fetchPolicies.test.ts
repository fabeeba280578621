import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import { createFetch, type Outgoing } from '../../src/adapters/fetch/index.js';
import { BulkheadFullError, CircuitBreakerOpenError, OptionsError, Premier, QuotaExceedsError, TimeoutError } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { next, say, serve } from './fetchTools.js';

const silent = (): void => undefined;

describe('createFetch', () => {
  test('without options is fetch', async (t) => {
    const server = await serve(t, (request, response) => say(response, 201, String(request.headers['x-a'])));
    const response = await createFetch()(new URL(server.url), { headers: { 'x-a': 'b' } });
    assert.equal(response.status, 201);
    assert.equal(await response.text(), 'b');
    assert.equal(await (await createFetch({ retry: {} })('data:,hello')).text(), 'hello');
  });

  test('opens a circuit for one origin, and heals', async (t) => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    let well = false;
    const server = await serve(t, (_request, response) => say(response, well ? 200 : 500));
    const fetch = createFetch({ premier, circuitBreaker: { failureThreshold: 2, recoveryTimeout: 10 } });
    assert.equal((await fetch(server.url)).status, 500);
    assert.equal((await fetch(server.url)).status, 500);
    await assert.rejects(fetch(server.url), (error) => error instanceof CircuitBreakerOpenError && error.retryAfter === 10);
    assert.equal((await fetch(server.other)).status, 500, 'another origin has a circuit of its own');
    well = true;
    await clock.advance(10);
    assert.equal((await fetch(server.url)).status, 200);
    assert.equal((await fetch(server.url)).status, 200);
    assert.deepEqual(
      premier.breakers.map(({ state }) => state),
      ['closed', 'closed'],
    );
    assert.ok(premier.breakers[0]?.name.startsWith('fetch:'), premier.breakers[0]?.name);
  });

  test('counts broken connections and timeouts, but not callers who leave, nor 404 and 501', async (t) => {
    const premier = new Premier();
    const server = await serve(t, (request, response) => {
      if (request.url === '/silent') return undefined;
      if (request.url === '/broken') return request.socket.destroy();
      return say(response, Number(request.url?.slice(1)));
    });
    const fetch = createFetch({ premier, circuitBreaker: { failureThreshold: 2 }, hosts: { localhost: { timeout: '30ms' } } });
    await fetch(`${server.url}/404`);
    await fetch(`${server.url}/501`);
    await fetch(`${server.url}/501`);
    for (let i = 0; i < 3; i++) await assert.rejects(fetch(`${server.url}/silent`, { signal: AbortSignal.timeout(20) }));
    assert.equal(premier.stats().events.circuitOpened, 0);
    await assert.rejects(fetch(`${server.url}/broken`), TypeError);
    await assert.rejects(fetch(`${server.url}/broken`), TypeError);
    await assert.rejects(fetch(`${server.url}/404`), CircuitBreakerOpenError);
    await assert.rejects(fetch(`${server.other}/silent`), TimeoutError);
    await assert.rejects(fetch(`${server.other}/silent`), TimeoutError);
    await assert.rejects(fetch(`${server.other}/404`), CircuitBreakerOpenError);
  });

  test('refuses over the limit of a host', async (t) => {
    const premier = new Premier({ clock: new FakeClock() });
    const server = await serve(t, (_request, response) => say(response, 200));
    const fetch = createFetch({ premier, rateLimit: { quota: 2, duration: 60 } });
    await fetch(server.url);
    await fetch(server.url);
    await assert.rejects(fetch(server.url), (error) => error instanceof QuotaExceedsError && error.retryAfter === 60);
    assert.equal((await fetch(server.other)).status, 200);
    assert.equal(server.asked.length, 3);
  });

  test('waits for the limit when told to, and each attempt spends of it', async (t) => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const server = await serve(t, (_request, response, turn) => say(response, turn === 0 ? 503 : 200));
    const limit = { algorithm: 'sliding_window', quota: 1, duration: 10, onExceeded: 'wait' } as const;
    const retried = next(premier, 'retried');
    const pending = createFetch({ premier, retry: { wait: 0 }, rateLimit: limit })(server.url);
    await retried;
    await clock.advance(9);
    assert.equal(server.asked.length, 1);
    await clock.advance(1);
    assert.equal((await pending).status, 200);
  });

  test('limits by what keymaker says of the request', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 200));
    const keymaker = (request: Outgoing): string => `${request.method} ${request.header('x-tenant')} ${new URL(request.url).pathname}`;
    const fetch = createFetch({ rateLimit: { quota: 1, duration: 60, keymaker } });
    await fetch(`${server.url}/a`, { headers: { 'X-Tenant': '1' } });
    await fetch(`${server.url}/a`, { headers: { 'X-Tenant': '2' } });
    await assert.rejects(fetch(`${server.url}/a`, { headers: { 'X-Tenant': '1' } }), QuotaExceedsError);
  });

  test('has a bulkhead for each host', async (t) => {
    const waiting: (() => void)[] = [];
    const server = await serve(t, (_request, response) => waiting.push(() => say(response, 200)));
    const fetch = createFetch({ bulkhead: { maxConcurrent: 1 } });
    const first = fetch(server.url);
    await assert.rejects(fetch(server.url), BulkheadFullError);
    const other = fetch(server.other);
    while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
    waiting.forEach((answer) => answer());
    await Promise.all([first, other]);
    const again = fetch(server.url);
    while (waiting.length < 3) await new Promise((resolve) => setImmediate(resolve));
    waiting[2]?.();
    assert.equal((await again).status, 200);
  });

  test('ends what takes too long with a TimeoutError, and the request with it', async (t) => {
    let closed: Promise<unknown> | undefined;
    const server = await serve(t, (_request, response) => {
      closed = new Promise((resolve) => response.on('close', resolve));
    });
    await assert.rejects(createFetch({ timeout: '50ms' })(server.url), (error) => error instanceof TimeoutError && error.seconds === 0.05);
    await closed;
  });

  test('tries again after an attempt that took too long', async (t) => {
    const server = await serve(t, (_request, response, turn) => (turn === 0 ? undefined : say(response, 200)));
    const response = await createFetch({ retry: { wait: 0 }, timeout: { seconds: 5, perTry: '50ms' } })(server.url);
    assert.equal(response.status, 200);
    assert.equal(server.asked.length, 2);
  });

  test("tells the caller's own abort from a timeout", async (t) => {
    const server = await serve(t, silent);
    const controller = new AbortController();
    const fetch = createFetch({ timeout: 30, retry: { wait: 0 } });
    const pending = fetch(server.url, { signal: controller.signal });
    while (server.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await assert.rejects(pending, { name: 'AbortError' });
    assert.equal(server.asked.length, 1);
    await assert.rejects(fetch(server.url, { signal: AbortSignal.abort(new Error('before')) }), /before/);
    await assert.rejects(fetch(new Request(server.url, { signal: AbortSignal.abort(new Error('within')) })), /within/);
    assert.equal(server.asked.length, 1);
  });

  test("keeps the caller's signal effective for the body", async (t) => {
    const server = await serve(t, (_request, response) => response.writeHead(200).write('begin'));
    const controller = new AbortController();
    const response = await createFetch({ timeout: 30 })(server.url, { signal: controller.signal });
    const text = response.text();
    controller.abort(new Error('enough'));
    await assert.rejects(text, /enough/);
  });

  test('ends a body that takes too long', async (t) => {
    const clock = new FakeClock();
    const server = await serve(t, (_request, response) => response.writeHead(200).write('begin'));
    const response = await createFetch({ premier: new Premier({ clock }), timeout: { body: 5 } })(server.url);
    const ended = assert.rejects(response.text(), (error) => error instanceof TimeoutError);
    await clock.advance(5);
    await ended;
  });

  test('ends with the decorated function that calls it', async (t) => {
    const server = await serve(t, silent);
    const premier = new Premier();
    const fetch = createFetch({ premier });
    const call = premier.timeout('50ms')(async function load() {
      return fetch(server.url);
    });
    await assert.rejects(call(), (error) => error instanceof TimeoutError && error.functionName === 'load');
    while (server.sockets > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test('leaves nothing behind on a signal that many requests share', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 204));
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<AbortSignal['addEventListener']>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<AbortSignal['removeEventListener']>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    const fetch = createFetch({ timeout: 5, retry: {} });
    for (let i = 0; i < 20; i++) await fetch(server.url, { signal });
    assert.equal(listeners, 0);
  });

  test('has one listener on a signal for all the bodies that are not yet read', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 200, 'body'));
    const { signal } = new AbortController();
    const fetch = createFetch({ timeout: 5 });
    const responses = [];
    for (let i = 0; i < 20; i++) responses.push(await fetch(server.url, { signal }));
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    assert.equal(responses.length, 20);
  });

  test('takes the policies of the most exact host', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 503));
    const { port } = new URL(server.url);
    const sent = async (hosts: Parameters<typeof createFetch>[0]): Promise<number> => {
      const before = server.asked.length;
      await createFetch({ retry: { wait: 0, maxAttempts: 2 }, ...hosts })(server.other);
      return server.asked.length - before;
    };
    assert.equal(await sent({}), 2);
    assert.equal(await sent({ hosts: { 'other.test': { retry: false } } }), 2);
    assert.equal(await sent({ hosts: { LOCALHOST: { retry: false } } }), 1);
    assert.equal(await sent({ hosts: { localhost: { retry: false }, [`localhost:${port}`]: { retry: { wait: 0, maxAttempts: 4 } } } }), 4);
    assert.equal(await sent({ hosts: { localhost: { timeout: 5 } } }), 2, 'what a host does not say is as for all');
  });

  test('knows hosts below a name, the longest first', async () => {
    const named = async (url: string): Promise<string> => {
      const premier = new Premier();
      const hosts = { '*.internal': {}, '*.eu.internal': {}, 'api.eu.internal': {}, '*.eu.internal:8443': {} };
      const fetch = createFetch({
        premier,
        timeout: 1,
        hosts,
        rateLimit: { quota: 1, duration: 60 },
        fetch: () => Promise.resolve(new Response()),
      });
      await fetch(url);
      const error: unknown = await fetch(url).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof QuotaExceedsError);
      return error.message.split(': the quota')[0] ?? '';
    };
    assert.equal(await named('http://api.eu.internal/'), 'fetch api.eu.internal');
    assert.equal(await named('https://b.eu.internal:8443/'), 'fetch *.eu.internal:8443');
    assert.equal(await named('https://b.eu.internal/'), 'fetch *.eu.internal');
    assert.equal(await named('http://a.b.internal/'), 'fetch *.internal');
    assert.equal(await named('http://internal/'), 'fetch');
    assert.equal(await named('http://evilinternal/'), 'fetch');
  });

  test('says what is wrong with its options', () => {
    const wrong = (options: object): string => {
      try {
        createFetch(options);
      } catch (error) {
        assert.ok(error instanceof OptionsError);
        return error.message;
      }
      return 'nothing';
    };
    assert.match(wrong({ retries: {} }), /unknown option "retries"/);
    assert.match(wrong({ retry: { maxAttempt: 2 } }), /createFetch: retry: unknown option "maxAttempt"; did you mean "maxAttempts"/);
    assert.match(wrong({ retry: { wait: 'soon' } }), /option "wait" must be/);
    assert.match(wrong({ timeout: -1 }), /option "timeout" must be a duration/);
    assert.match(wrong({ timeout: { perTry: 0 } }), /option "perTry" must be longer than 0/);
    assert.match(wrong({ circuitBreaker: { key: () => 'x' } }), /"key" is the client's own/);
    assert.match(wrong({ cache: { maxBytes: 0 } }), /createFetch: cache: option "maxBytes"/);
    assert.match(wrong({ hosts: { 'http://a.test/': {} } }), /'http:\/\/a\.test\/' in "hosts" is no host/);
    assert.match(wrong({ hosts: { 'a.test': { rateLimit: { quota: 1 } } } }), /hosts\.a\.test": .*needs "quota" and "duration"/);
    assert.match(wrong({ hosts: { 'a.test': { premier: 1 } } }), /unknown option "premier"/);
  });
});
