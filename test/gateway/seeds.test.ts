import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewayConfig } from '../../src/gateway/index.js';
import { turn } from '../support/gateways.js';
import { documented, errorOf, forApp, inFrontOfApp } from './goldenApps/documents.js';

const limitNames = ['retry-after', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'ratelimit', 'ratelimit-policy'];
const limitOf = (answer: Response): (string | null)[] => limitNames.map((name) => answer.headers.get(name));
const unknownPath = '/elsewhere';

test('every file of the documents loads without a warning', () => {
  for (const name of ['readme-dict', 'readme-policies', 'readme-production', 'readme-websocket'])
    assert.deepEqual(GatewayConfig.fromText(documented(name)).warnings, [], name);
});

describe('rate limits as the documents write them', () => {
  test('a quota of 1000 a minute is told in full, and refused in its own words', async (t) => {
    const { ask, statuses, clock } = await inFrontOfApp(t, forApp('readme-production'));
    assert.deepEqual(new Set(await statuses(999, '/api/users/1')), new Set([200]));
    const last = await ask('/api/users/1');
    assert.equal(last.status, 200);
    assert.deepEqual(limitOf(last), [null, '1000', '0', '"minute";r=0;t=60', '"minute";q=1000;w=60']);
    await clock.advance(20);
    const refused = await ask('/api/users/1');
    assert.equal(refused.status, 429);
    assert.deepEqual(limitOf(refused), ['40', '1000', '0', '"minute";r=0;t=40', '"minute";q=1000;w=60']);
    assert.equal(refused.headers.get('x-ratelimit-reset'), String(Math.ceil(clock.now() / 1000) + 40));
    assert.match(refused.headers.get('content-type') ?? '', /^application\/json/);
    assert.deepEqual(await errorOf(refused), { type: 'rate_limited', message: 'Rate limit exceeded for user API' });
    assert.equal((await ask('/api/users/1', {}, '192.0.2.2')).status, 200, 'another client has a quota of its own');
  });

  test('a sliding window slides', async (t) => {
    const { statuses, clock } = await inFrontOfApp(t, forApp('readme-policies'));
    const admitted = async (): Promise<number> => (await statuses(120, '/api/users/1')).filter((status) => status === 200).length;
    await statuses(50, '/api/users/1');
    await clock.advance(30);
    assert.equal(await admitted(), 50);
    await clock.advance(31);
    assert.equal(await admitted(), 50, 'what came in the second half of the last minute still counts');
    await clock.advance(30);
    assert.equal(await admitted(), 50);
  });

  test('a token bucket takes its burst and then refills steadily, and refuses with the status of its choice', async (t) => {
    const { ask, statuses, clock } = await inFrontOfApp(t, forApp('readme-production'));
    assert.deepEqual(new Set(await statuses(10, '/api/admin/x')), new Set([200]));
    const refused = await ask('/api/admin/x');
    assert.equal(refused.status, 403);
    assert.equal(refused.headers.get('retry-after'), '6');
    assert.deepEqual(await errorOf(refused), { type: 'rate_limited', message: 'Admin API rate limit exceeded' });
    await clock.advance(3);
    assert.equal((await ask('/api/admin/x')).headers.get('retry-after'), '3');
    await clock.advance(3);
    assert.deepEqual(await statuses(2, '/api/admin/x'), [200, 403]);
    await clock.advance(12);
    assert.deepEqual(await statuses(3, '/api/admin/x'), [200, 200, 403]);
  });

  test('the default features limit what no path matches, by a window that begins anew', async (t) => {
    const { ask, statuses, clock } = await inFrontOfApp(t, forApp('readme-production'));
    assert.deepEqual(new Set(await statuses(100, unknownPath)), new Set([200]));
    const refused = await ask('/another');
    assert.equal(refused.status, 429);
    assert.deepEqual(await errorOf(refused), { type: 'rate_limited', message: 'Rate limit exceeded' });
    assert.equal((await ask('/api/users/1')).status, 200, 'a path has its own quota in place of the default one');
    await clock.advance(60);
    assert.equal((await ask('/another')).status, 200);
  });

  test('a leaky bucket makes callers wait for their turn and refuses once it is full', async (t) => {
    const leaky = `premier:
  paths:
    - pattern: /upload
      features:
        rate_limit: { algorithm: leaky_bucket, bucket_size: 3, quota: 1, duration: 1 }`;
    const { ask, asked, clock } = await inFrontOfApp(t, GatewayConfig.fromText(leaky));
    const all = [1, 2, 3, 4].map(() => ask('/upload').then(({ status }) => status));
    await clock.advance(3);
    assert.deepEqual((await Promise.all(all)).toSorted(), [200, 200, 200, 429]);
    assert.deepEqual(
      asked.map(({ at }) => at),
      [0, 1, 2],
    );
  });
});

describe('the other features of the production file', () => {
  test('an answer is kept for 300 seconds under the key that the template makes', async (t) => {
    const { ask, asked, clock } = await inFrontOfApp(t, forApp('readme-production'), (_request, nth) => new Response(`answer ${nth}`));
    const got = async (path: string): Promise<string> => {
      const answer = await ask(path);
      return `${answer.headers.get('x-cache')} ${await answer.text()}`;
    };
    assert.equal(await got('/api/users/1'), 'MISS answer 0');
    assert.equal(await got('/api/users/1'), 'HIT answer 0');
    assert.equal(await got('/api/users/1?tab=2'), 'HIT answer 0', 'the template names the user alone');
    assert.equal(await got('/api/users/2'), 'MISS answer 1');
    await clock.advance(299);
    assert.equal(await got('/api/users/1'), 'HIT answer 0');
    await clock.advance(1);
    assert.match(await got('/api/users/1'), /answer 2$/);
    assert.equal((await ask('/api/users/1', { method: 'POST', body: 'x' })).headers.get('x-cache'), 'BYPASS');
    assert.equal(asked.length, 4);
  });

  test('attempts wait 1 and 2 seconds, and the last failure is passed on', async (t) => {
    const { ask, asked, clock } = await inFrontOfApp(t, forApp('readme-production'), (_request, nth) =>
      nth < 5 ? new Response('failed', { status: 503 }) : new Response('fine'),
    );
    const first = ask('/api/users/1');
    await clock.advance(0.9);
    assert.equal(asked.length, 1);
    await clock.advance(0.1);
    await clock.advance(2);
    const answer = await first;
    assert.deepEqual([answer.status, await answer.text()], [503, 'failed']);
    assert.deepEqual(
      asked.map(({ at }) => at),
      [0, 1, 3],
    );
    const second = ask('/api/users/2');
    await clock.advance(3);
    assert.equal((await second).status, 503, 'two more failures make five, and the circuit is open');
    assert.equal(asked.length, 5);
  });

  test('five failures open the circuit, and a minute later one probe closes it', async (t) => {
    let status = 500;
    const { ask, asked, statuses, clock } = await inFrontOfApp(t, forApp('readme-production'), () => new Response('x', { status }));
    const circuit = async (): Promise<unknown> => {
      const { '/api/users/*': told } = (await (await ask('/circuit-breakers')).json()) as Record<string, Record<string, unknown>>;
      return [told?.['state'], told?.['failure_count'], told?.['recent_failures'], told?.['total_calls']];
    };
    const post = { method: 'POST', body: '{}' };
    assert.deepEqual(await statuses(5, '/api/users', post), [500, 500, 500, 500, 500], '/api/users is not below /api/users/');
    assert.deepEqual(await circuit(), ['closed', 0, 0, 0]);
    assert.deepEqual(await statuses(5, '/api/users/1', post), [500, 500, 500, 500, 500]);
    assert.deepEqual(await circuit(), ['open', 5, 5, 5]);
    const refused = await ask('/api/users/1', post);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get('retry-after'), '60');
    assert.equal((await errorOf(refused)).type, 'service_unavailable');
    assert.equal(asked.length, 10, 'an open circuit asks nobody');
    status = 200;
    await clock.advance(59);
    assert.deepEqual(await statuses(1, '/api/users/1', post), [503]);
    await clock.advance(1);
    assert.deepEqual(await statuses(2, '/api/users/1', post), [200, 200]);
    assert.equal(((await circuit()) as unknown[])[0], 'closed');
  });

  for (const [path, seconds, status, message] of [
    ['/api/users/1', 5, 504, 'User API timeout'],
    ['/api/admin/1', 30, 408, 'Admin operation timeout'],
    [unknownPath, 10, 504, 'Request timeout'],
  ] as const)
    test(`${path} takes ${seconds} seconds at most, and then says ${status}`, async (t) => {
      const { ask, clock } = await inFrontOfApp(t, forApp('readme-production'), () => new Promise<Response>(() => undefined));
      const answers: Response[] = [];
      void ask(path).then((answer) => answers.push(answer));
      await clock.advance(seconds - 0.01);
      assert.equal(answers.length, 0);
      await clock.advance(0.01);
      await turn();
      const [answer] = answers as [Response];
      assert.equal(answer.status, status);
      assert.deepEqual(await errorOf(answer), { type: 'gateway_timeout', message });
    });

  test('a request is logged as slow from the threshold of its path on', async (t) => {
    const { ask, clock, lines } = await inFrontOfApp(
      t,
      forApp('readme-production'),
      () => new Promise<Response>((resolve) => void clock.setTimer(() => resolve(new Response('late')), 400)),
    );
    for (const path of ['/api/users/1', '/api/admin/1', unknownPath]) {
      const answer = ask(path).then((got) => got.text());
      await clock.advance(0.4);
      await answer;
    }
    await turn();
    const slow = lines().filter(({ message }) => message === 'Slow request');
    assert.deepEqual(
      slow.map(({ level, path, duration_ms }) => [level, path, duration_ms]),
      [['WARN', '/api/users/1', 400]],
    );
    assert.deepEqual(
      lines().flatMap(({ message, path }) => (message === 'Request completed' ? [path] : [])),
      ['/api/users/1', '/api/admin/1', unknownPath],
    );
  });
});
