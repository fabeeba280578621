import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { openGateway, type Received, send, until } from '../support/gateways.js';

function all(features: object): GatewayOptions {
  return { paths: [{ pattern: '*', features }] };
}

describe('rate limit', () => {
  const limited = async (t: Parameters<typeof openGateway>[0], features: object, clock = new FakeClock()): Promise<string> =>
    (
      await openGateway(t, all(features), {
        clock,
        app: (_request: unknown, response: { end: (text: string) => unknown }) => response.end('ok'),
      })
    ).url;

  test('several limits are all or nothing, each with its own fields', async (t) => {
    const clock = new FakeClock(1_700_000_000_000);
    const url = await limited(
      t,
      {
        rate_limit: {
          limits: [
            { quota: 2, duration: 60 },
            { quota: 3, duration: 3600 },
          ],
        },
      },
      clock,
    );
    const first = await send(url);
    const names = ['limit', 'remaining', 'reset'].flatMap((name) => [`x-ratelimit-${name}-minute`, `x-ratelimit-${name}-hour`]);
    assert.deepEqual(
      names.map((name) => first.headers[name]),
      ['2', '3', '1', '2', '1700000060', '1700003600'],
    );
    assert.equal(first.headers['ratelimit-policy'], '"minute";q=2;w=60, "hour";q=3;w=3600');
    assert.equal((await send(url)).status, 200);
    const refused = await send(url);
    assert.deepEqual(
      [
        refused.status,
        refused.headers['retry-after'],
        refused.headers['x-ratelimit-remaining-minute'],
        refused.headers['x-ratelimit-remaining-hour'],
      ],
      [429, '60', '0', '1'],
    );
    await clock.advance(60);
    assert.equal((await send(url)).status, 200);
    const hourly = await send(url);
    assert.deepEqual([hourly.status, hourly.headers['retry-after'], hourly.headers['x-ratelimit-remaining-hour']], [429, '3540', '0']);
  });

  const asOne = async (url: string, first: object, second: object): Promise<boolean> => {
    const ask = (given: object): Promise<Received> => send(url, { headers: given as Record<string, string> });
    assert.equal((await ask(first)).status, 200);
    return (await ask(second)).status === 429;
  };

  for (const [key, first, second] of [
    ['header:x-user', { 'x-user': 'ann' }, { 'x-user': 'bob' }],
    ['cookie:sid', { cookie: 'a=1; sid=1' }, { cookie: 'a=1; sid=2' }],
    ['{header.x-user}-{cookie.sid}', { 'x-user': 'ann', cookie: 'sid=1' }, { 'x-user': 'ann', cookie: 'sid=2' }],
    [['header:x-user', 'cookie:sid'], { 'x-user': 'ann', cookie: 'sid=1' }, { 'x-user': 'bob', cookie: 'sid=1' }],
  ] as const) {
    test(`the key ${JSON.stringify(key)} gives each value its own quota`, async (t) => {
      const features = { rate_limit: { quota: 1, duration: 60, key } };
      assert.equal(await asOne(await limited(t, features), first, second), false);
      assert.equal(await asOne(await limited(t, features), first, first), true);
    });
  }

  test('the keys query and path go by the address', async (t) => {
    const byQuery = await limited(t, { rate_limit: { quota: 1, duration: 60, key: 'query:user' } });
    const byPath = await limited(t, { rate_limit: { quota: 1, duration: 60, key: 'path' } });
    const statuses = async (...urls: string[]): Promise<number[]> => {
      const all: number[] = [];
      for (const url of urls) all.push((await send(url)).status);
      return all;
    };
    assert.deepEqual(await statuses(`${byQuery}/a?user=1`, `${byQuery}/b?user=2`, `${byQuery}/c?user=1`), [200, 200, 429]);
    assert.deepEqual(await statuses(`${byPath}/a`, `${byPath}/b`, `${byPath}/a?x=1`, `${byPath}/%61`), [200, 200, 429, 429]);
  });

  test('a hit in the cache spends quota, unless it should not', async (t) => {
    for (const [counted, expected] of [
      [true, [200, 200, 429]],
      [false, [200, 200, 200]],
    ] as const) {
      const url = await limited(t, { cache: { expire_s: 60 }, rate_limit: { quota: 2, duration: 60, count_cache_hits: counted } });
      const statuses = [(await send(`${url}/x`)).status, (await send(`${url}/x`)).status, (await send(`${url}/x`)).status];
      assert.deepEqual(statuses, expected);
      if (!counted) assert.deepEqual([(await send(`${url}/y`)).status, (await send(`${url}/z`)).status], [200, 429]);
    }
  });

  test('a refusal has the status and the words of the configuration', async (t) => {
    const url = await limited(t, { rate_limit: { quota: 1, duration: 60, error_status: 403, error_message: 'No more' } });
    await send(url);
    const refused = await send(url);
    assert.equal(refused.status, 403);
    assert.equal((JSON.parse(refused.body) as { error: { message: string } }).error.message, 'No more');
  });

  test('a token bucket admits its burst and then one by one', async (t) => {
    const clock = new FakeClock();
    const url = await limited(t, { rate_limit: { quota: 60, duration: 60, algorithm: 'token_bucket', burst: 3 } }, clock);
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await send(url)).status);
    await clock.advance(1);
    statuses.push((await send(url)).status, (await send(url)).status);
    assert.deepEqual(statuses, [200, 200, 200, 429, 200, 429]);
  });

  test('a sliding window does not admit twice the quota at the edge of a minute', async (t) => {
    const clock = new FakeClock(1_700_000_040_000 - 1000);
    const url = await limited(t, { rate_limit: { quota: 2, duration: 60, algorithm: 'sliding_window' } }, clock);
    const statuses = [(await send(url)).status, (await send(url)).status];
    await clock.advance(2);
    statuses.push((await send(url)).status);
    await clock.advance(60);
    statuses.push((await send(url)).status);
    assert.deepEqual(statuses, [200, 200, 429, 200]);
  });

  test('a leaky bucket makes requests wait for their turn, and refuses what does not fit', async (t) => {
    const clock = new FakeClock();
    let asked = 0;
    const { url } = await openGateway(t, all({ rate_limit: { quota: 1, duration: 1, algorithm: 'leaky_bucket', bucket_size: 2 } }), {
      clock,
      app: (_request: unknown, response: { end: (text: string) => unknown }) => {
        asked++;
        response.end('ok');
      },
    });
    const answers = [send(url), send(url), send(url), send(url)];
    const first = await Promise.race(answers.map((answer) => answer.then(({ status }) => status)));
    assert.ok([200, 429].includes(first));
    await until(() => asked === 1);
    await clock.advance(1);
    await until(() => asked === 2);
    await clock.advance(1);
    await clock.advance(1);
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, asked);
    assert.ok(statuses.includes(429));
  });
});
