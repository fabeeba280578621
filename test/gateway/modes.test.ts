import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { gate, until } from '../support/gateways.js';
import { type Asked, errorOf, modes, some, type Told } from './runModes.js';

const echo = async (asked: Asked): Promise<Told> => ({
  headers: [['content-type', 'application/json; charset=utf-8']],
  body: JSON.stringify({ method: asked.method, url: asked.url, headers: asked.headers, body: await asked.text() }),
});

const limitNames = ['ratelimit-policy', 'ratelimit', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'retry-after'];

for (const mode of modes) {
  describe(mode.name, () => {
    test('a request and its answer pass unchanged', async (t) => {
      const { ask } = await mode.open(t, echo, {});
      const answer = await ask('/a/b?x=1&y=%20', { method: 'PUT', body: 'hello', headers: { 'x-own': 'v' } });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8');
      const seen = (await answer.json()) as { method: string; url: string; headers: Record<string, string>; body: string };
      assert.deepEqual([seen.method, seen.url, seen.headers['x-own'], seen.body], ['PUT', '/a/b?x=1&y=%20', 'v', 'hello']);
    });

    test('the path that an app sees is the canonical one', async (t) => {
      const { ask, calls } = await mode.open(t, () => ({ body: 'ok' }), {});
      await ask('/%61//b%2fc?q=%61');
      assert.equal(calls[0]?.url, '/a/b%2Fc?q=%61');
    });

    test('a limit tells its numbers and refuses what is beyond it', async (t) => {
      const clock = new FakeClock(1_700_000_000_000);
      const { ask, calls } = await mode.open(
        t,
        () => ({ body: 'ok' }),
        { paths: [{ pattern: '/api/*', features: { rate_limit: { quota: 2, duration: 60, error_message: 'Slow down' } } }] },
        { clock },
      );
      const [first, second, third] = [await ask('/api/1'), await ask('/api/2'), await ask('/api/3')];
      const reset = '1700000060';
      assert.deepEqual(some(first, ...limitNames), ['"minute";q=2;w=60', '"minute";r=1;t=60', '2', '1', reset, null]);
      assert.deepEqual(some(second, ...limitNames), ['"minute";q=2;w=60', '"minute";r=0;t=60', '2', '0', reset, null]);
      assert.equal(third.status, 429);
      assert.deepEqual(some(third, ...limitNames), ['"minute";q=2;w=60', '"minute";r=0;t=60', '2', '0', reset, '60']);
      assert.deepEqual(await errorOf(third), { type: 'rate_limited', message: 'Slow down' });
      assert.equal(calls.length, 2);
      assert.equal((await ask('/elsewhere')).headers.get('ratelimit'), null);
      await clock.advance(60);
      assert.equal((await ask('/api/4')).status, 200);
    });

    test('a cached answer is a miss first and a hit then, also for HEAD', async (t) => {
      const clock = new FakeClock();
      const { ask, calls } = await mode.open(
        t,
        (_asked, nth) => ({ headers: [['content-type', 'text/plain; charset=utf-8']], body: `answer ${nth}` }),
        { paths: [{ pattern: '/c*', features: { cache: { expire_s: 300 } } }] },
        { clock },
      );
      const miss = await ask('/c?a=1');
      assert.deepEqual([miss.headers.get('x-cache'), await miss.text()], ['MISS', 'answer 0']);
      await clock.advance(100);
      const hit = await ask('/c?a=1');
      assert.deepEqual(
        [...some(hit, 'x-cache', 'age', 'content-type'), await hit.text()],
        ['HIT', '100', 'text/plain; charset=utf-8', 'answer 0'],
      );
      const head = await ask('/c?a=1', { method: 'HEAD' });
      assert.deepEqual([...some(head, 'x-cache', 'content-length'), await head.text()], ['HIT', '8', '']);
      assert.equal(await (await ask('/c?a=2')).text(), 'answer 1');
      await clock.advance(200);
      assert.equal(await (await ask('/c?a=1')).text(), 'answer 2');
      assert.equal(calls.length, 3);
    });

    test('a failing GET is tried again and a failing POST is not', async (t) => {
      const { ask, calls } = await mode.open(t, (_asked, nth) => (nth < 2 ? { status: 503, body: 'bad' } : { body: `good ${nth}` }), {
        paths: [{ pattern: '*', features: { retry: { max_attempts: 3, wait: 0.001, budget: 1 } } }],
      });
      const got = await ask('/r');
      assert.deepEqual([got.status, await got.text()], [200, 'good 2']);
      calls.length = 0;
      const posted = await ask('/r', { method: 'POST', body: 'once' });
      assert.deepEqual([posted.status, await posted.text(), calls.length], [503, 'bad', 1]);
    });

    test('a PUT is tried again with its whole body, and the last failure is passed on', async (t) => {
      const bodies: string[] = [];
      const { ask } = await mode.open(
        t,
        async (asked) => {
          bodies.push(await asked.text());
          return { status: 502, headers: [['x-which', String(bodies.length)]], body: 'still bad' };
        },
        { paths: [{ pattern: '*', features: { retry: { max_attempts: 3, wait: 0.001 } } }] },
      );
      const answer = await ask('/r', { method: 'PUT', body: 'the body' });
      assert.deepEqual([answer.status, answer.headers.get('x-which'), await answer.text()], [502, '3', 'still bad']);
      assert.deepEqual(bodies, ['the body', 'the body', 'the body']);
    });

    test('an answer that takes too long is a 504 in the words of the configuration, and coming late does no harm', async (t) => {
      const clock = new FakeClock();
      const [late, left] = [gate<Told>(), gate()];
      const { ask, calls } = await mode.open(
        t,
        async (asked, nth) => {
          if (nth > 0) return { body: 'next' };
          void asked.left.then(() => left.open());
          return late.opened;
        },
        { paths: [{ pattern: '*', features: { timeout: { seconds: 2, error_status: 408, error_message: 'Too slow' } } }] },
        { clock },
      );
      const asking = ask('/slow');
      await until(() => calls.length === 1);
      await clock.advance(2);
      const answer = await asking;
      assert.equal(answer.status, 408);
      assert.deepEqual(await errorOf(answer), { type: 'gateway_timeout', message: 'Too slow' });
      await left.opened;
      late.open({ status: 200, headers: [['x-late', '1']], body: 'late' });
      assert.equal(await (await ask('/next')).text(), 'next');
    });

    test('a circuit opens after its failures, is seen on /circuit-breakers and closes again', async (t) => {
      const clock = new FakeClock();
      let status = 500;
      const { ask, calls } = await mode.open(
        t,
        () => ({ status, body: 'x' }),
        { paths: [{ pattern: '/b/*', features: { circuit_breaker: { failure_threshold: 2, recovery_timeout: 30 } } }] },
        { clock },
      );
      assert.deepEqual([(await ask('/b/1')).status, (await ask('/b/2')).status], [500, 500]);
      const refused = await ask('/b/3');
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '30']);
      assert.equal((await errorOf(refused)).type, 'service_unavailable');
      assert.equal(calls.length, 2);
      const circuits = JSON.stringify(await (await ask('/circuit-breakers')).json());
      assert.match(circuits, /"\/b\/\*"/);
      assert.match(circuits, /"state":"open"/i);
      await clock.advance(30);
      status = 200;
      assert.equal((await ask('/b/4')).status, 200);
      assert.match(JSON.stringify(await (await ask('/circuit-breakers')).json()), /"state":"closed"/i);
    });

    test('a circuit counts neither 4xx nor 501', async (t) => {
      const { ask, calls } = await mode.open(t, ({ url }) => ({ status: Number(url.slice(1)), body: 'x' }), {
        paths: [{ pattern: '*', features: { circuit_breaker: { failure_threshold: 1 } } }],
      });
      for (const status of [404, 429, 501, 404]) assert.equal((await ask(`/${status}`)).status, status);
      assert.equal(calls.length, 4);
    });

    test('a full bulkhead answers 503, and its place is free again afterwards', async (t) => {
      const held = gate<Told>();
      const { ask, calls } = await mode.open(t, (_asked, nth) => (nth === 0 ? held.opened : { body: 'free' }), {
        paths: [{ pattern: '*', features: { bulkhead: { max_concurrent: 1 } } }],
      });
      const first = ask('/1');
      await until(() => calls.length === 1);
      const refused = await ask('/2');
      assert.equal(refused.status, 503);
      assert.equal((await errorOf(refused)).type, 'service_unavailable');
      held.open({ body: 'held' });
      assert.equal(await (await first).text(), 'held');
      assert.equal(await (await ask('/3')).text(), 'free');
    });

    test('a fallback stands in for a 5xx and for nothing else', async (t) => {
      const { ask } = await mode.open(t, ({ url }) => ({ status: Number(url.slice(1)), body: 'own' }), {
        paths: [{ pattern: '*', features: { fallback: { status: 200, body: { items: [] }, headers: { 'x-fallback': 'yes' } } } }],
      });
      const stood = await ask('/500');
      assert.deepEqual([stood.status, stood.headers.get('x-fallback'), await stood.json()], [200, 'yes', { items: [] }]);
      const own = await ask('/404');
      assert.deepEqual([own.status, await own.text()], [404, 'own']);
    });

    test('a slow GET gets another attempt beside it, and the loser is told to stop', async (t) => {
      const clock = new FakeClock();
      const stopped = gate();
      const { ask, calls } = await mode.open(
        t,
        (asked, nth) => {
          if (nth > 0) return { body: `attempt ${nth}` };
          void asked.left.then(() => stopped.open());
          return new Promise<Told>(() => undefined);
        },
        { paths: [{ pattern: '*', features: { hedge: { after: 0.2 } } }] },
        { clock },
      );
      const asking = ask('/h');
      await until(() => calls.length === 1);
      await clock.advance(0.2);
      assert.equal(await (await asking).text(), 'attempt 1');
      await stopped.opened;
    });
  });
}
