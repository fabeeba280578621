import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import { gate, turn, until } from '../support/gateways.js';
import { modes, openBody, readerOf, type Told } from './runModes.js';

/** With and without policies that look at the answer: an app then writes to a response of its own, or to the client's. */
const plans: readonly (readonly [name: string, config: GatewayOptions])[] = [
  ['without policies', {}],
  [
    'with policies',
    {
      paths: [
        {
          pattern: '*',
          features: {
            rate_limit: { quota: 100, duration: 60 },
            timeout: { seconds: 60 },
            retry: { max_attempts: 2 },
            circuit_breaker: {},
            cache: { expire_s: 60 },
          },
        },
      ],
    },
  ],
];

const events = {
  headers: [
    ['content-type', 'text/event-stream'],
    ['cache-control', 'no-store'],
  ],
} as const;

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const large = Buffer.alloc(5_000_000, 'premier-0123456789').map((byte, i) => byte ^ (i >> 12));

/** Gives 64 KiB whenever it is asked, up to 64 MiB, and counts. */
function countedBody(): { body: Readable; given: () => number } {
  let given = 0;
  const chunk = Buffer.alloc(65_536, 'x');
  const body = new Readable({
    read() {
      given += chunk.length;
      this.push(given > 67_108_864 ? null : chunk);
    },
  });
  return { body, given: () => given };
}

/** Resolves with the count once it has stood still for a while. */
async function settled(count: () => number): Promise<number> {
  let last = -1;
  for (let still = 0; still < 300; still++) {
    if (count() !== last) still = 0;
    last = count();
    await turn();
  }
  return last;
}

for (const mode of modes) {
  for (const [plan, config] of plans) {
    describe(`${mode.name}, ${plan}`, () => {
      test('events arrive one by one, as they are written', async (t) => {
        const body = openBody();
        const { ask } = await mode.open(t, () => ({ ...events, body }), config);
        body.push('data: 1\n\n');
        const answer = await ask('/events');
        const reader = readerOf(answer);
        assert.equal(await reader.next(), 'data: 1\n\n');
        body.push('data: 2\n\n');
        assert.equal(await reader.next(), 'data: 2\n\n');
        body.push('data: 3\n\n');
        body.push(null);
        assert.equal(await reader.next(), 'data: 3\n\n');
        assert.equal(await reader.next(), '');
      });

      test('large bodies come through whole, both ways', async (t) => {
        const { ask } = await mode.open(
          t,
          async (asked): Promise<Told> =>
            asked.method === 'GET'
              ? { headers: [['content-type', 'application/octet-stream']], body: Readable.from(slices(large)) }
              : { body: hashOf(Buffer.from(await asked.text(), 'latin1')) },
          config,
        );
        const down = new Uint8Array(await (await ask('/down')).arrayBuffer());
        assert.equal(down.length, large.length);
        assert.equal(hashOf(down), hashOf(large));
        const plain = Buffer.alloc(5_000_000, 'abcdefg');
        assert.equal(await (await ask('/up', { method: 'POST', body: plain })).text(), hashOf(plain));
      });

      test('a client that reads slowly holds the app back', async (t) => {
        const { body, given } = countedBody();
        const { ask } = await mode.open(t, () => ({ headers: [['content-type', 'application/octet-stream']], body }), config);
        const answer = await ask('/slow');
        const held = await settled(given);
        assert.ok(held < 24_000_000, `${held} bytes were taken while nobody read`);
        const reader = readerOf(answer);
        await reader.next();
        await reader.cancel();
        await until(() => body.destroyed);
      });

      test('a client that leaves before the answer is told to the app', async (t) => {
        const left = gate();
        const { ask, calls } = await mode.open(
          t,
          (asked) => {
            void asked.left.then(() => left.open());
            return new Promise<Told>(() => undefined);
          },
          config,
        );
        const leaving = new AbortController();
        const asking = ask('/wait', { signal: leaving.signal }).catch(() => undefined);
        await until(() => calls.length === 1);
        leaving.abort();
        await left.opened;
        await asking;
      });

      test('a client that leaves in the midst of the answer ends it', async (t) => {
        const body = openBody();
        const { ask } = await mode.open(t, () => ({ ...events, body }), config);
        body.push('data: 1\n\n');
        const reader = readerOf(await ask('/events'));
        await reader.next();
        await reader.cancel();
        await until(() => {
          body.push('data: more\n\n');
          return body.destroyed;
        });
      });

      test('HEAD has the fields of GET and no body', async (t) => {
        const { ask } = await mode.open(
          t,
          () => ({
            headers: [
              ['x-own', 'v'],
              ['content-length', '5'],
            ],
            body: 'hello',
          }),
          config,
        );
        const answer = await ask('/h', { method: 'HEAD' });
        assert.deepEqual([answer.status, answer.headers.get('x-own'), answer.headers.get('content-length')], [200, 'v', '5']);
        assert.equal(await answer.text(), '');
        assert.equal(await (await ask('/g')).text(), 'hello');
      });

      test('204 and 304 have no body and no framing of one', async (t) => {
        const { ask } = await mode.open(t, ({ url }) => ({ status: Number(url.slice(1)), headers: [['etag', '"1"']] }), config);
        for (const status of [204, 304]) {
          const answer = await ask(`/${status}`);
          assert.deepEqual([answer.status, answer.headers.get('etag'), answer.headers.get('transfer-encoding')], [status, '"1"', null]);
          assert.equal(await answer.text(), '');
        }
      });

      test('two cookies stay two, and other statuses and redirects pass', async (t) => {
        const { ask } = await mode.open(
          t,
          () => ({
            status: 302,
            headers: [
              ['set-cookie', 'a=1; Path=/'],
              ['set-cookie', 'b=2; Path=/'],
              ['location', '/elsewhere'],
            ],
            body: 'moved',
          }),
          config,
        );
        const answer = await ask('/cookies');
        assert.deepEqual(answer.headers.getSetCookie(), ['a=1; Path=/', 'b=2; Path=/']);
        assert.deepEqual([answer.status, answer.headers.get('location'), await answer.text()], [302, '/elsewhere', 'moved']);
      });
    });
  }
}

function* slices(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let i = 0; i < bytes.length; i += 50_000) yield bytes.subarray(i, i + 50_000);
}
