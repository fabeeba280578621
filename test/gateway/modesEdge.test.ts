import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorOf, modes, some } from './runModes.js';

for (const mode of modes) {
  describe(`${mode.name}, at its edges`, () => {
    test('a CORS preflight is answered by the gateway, and answers carry the grant in place of the app’s own', async (t) => {
      const { ask, calls } = await mode.open(t, () => ({ headers: [['access-control-allow-origin', 'https://evil.test']], body: 'ok' }), {
        paths: [
          {
            pattern: '*',
            methods: ['GET', 'PUT'],
            features: {
              cors: { origins: ['https://app.test'], methods: ['GET', 'PUT'], headers: ['X-Own'], credentials: true, max_age: 600 },
            },
          },
        ],
      });
      const preflight = await ask('/x', {
        method: 'OPTIONS',
        headers: { origin: 'https://app.test', 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-own' },
      });
      assert.equal(preflight.status, 204);
      assert.deepEqual(
        some(
          preflight,
          'access-control-allow-origin',
          'access-control-allow-methods',
          'access-control-allow-headers',
          'access-control-allow-credentials',
          'access-control-max-age',
        ),
        ['https://app.test', 'GET, PUT', 'X-Own', 'true', '600'],
      );
      assert.equal(calls.length, 0);
      const granted = await ask('/x', { headers: { origin: 'https://app.test' } });
      assert.deepEqual(some(granted, 'access-control-allow-origin', 'vary'), ['https://app.test', 'Origin']);
      const strange = await ask('/x', { headers: { origin: 'https://other.test' } });
      assert.deepEqual(some(strange, 'access-control-allow-origin', 'vary'), [null, 'Origin']);
    });

    test('a body beyond its limit is a 413, whether its length is promised or not', async (t) => {
      const { ask } = await mode.open(t, async (asked) => ({ body: `got ${(await asked.text()).length}` }), {
        paths: [{ pattern: '*', features: { body_limit: { max_bytes: 10 } } }],
      });
      const chunked = (...chunks: string[]): RequestInit & { duplex: 'half' } => ({
        method: 'POST',
        duplex: 'half',
        body: new ReadableStream({
          pull(controller) {
            const chunk = chunks.shift();
            if (chunk === undefined) controller.close();
            else controller.enqueue(new TextEncoder().encode(chunk));
          },
        }),
      });
      assert.equal(await (await ask('/p', { method: 'POST', body: '0123456789' })).text(), 'got 10');
      assert.equal(await (await ask('/p', chunked('01234', '56789'))).text(), 'got 10');
      for (const init of [{ method: 'POST', body: '0123456789x' }, chunked('01234', '56789', 'x')]) {
        const refused = await ask('/p', init);
        assert.equal(refused.status, 413);
        assert.equal((await errorOf(refused)).type, 'payload_too_large');
      }
    });

    test('fields are set and taken out both ways', async (t) => {
      const { ask, calls } = await mode.open(
        t,
        () => ({
          headers: [
            ['x-secret', 's'],
            ['x-mark', 'old'],
          ],
          body: 'ok',
        }),
        {
          paths: [
            {
              pattern: '*',
              features: {
                headers: {
                  request: { set: { 'X-Asked': 'yes' }, remove: ['X-Gone'] },
                  response: { set: { 'X-Mark': 'new' }, remove: ['X-Secret'] },
                },
              },
            },
          ],
        },
      );
      const answer = await ask('/', { headers: { 'x-gone': '1', 'x-asked': 'forged' } });
      assert.deepEqual(some(answer, 'x-secret', 'x-mark'), [null, 'new']);
      assert.deepEqual([calls[0]?.headers['x-asked'], calls[0]?.headers['x-gone']], ['yes', undefined]);
    });

    test('a correlation id is taken when it is sound, made otherwise, and goes both ways', async (t) => {
      const { ask, calls } = await mode.open(t, () => ({ headers: [['x-correlation-id', 'of-the-app']], body: 'ok' }), {});
      const taken = await ask('/', { headers: { 'x-correlation-id': 'abc-123' } });
      assert.equal(taken.headers.get('x-correlation-id'), 'abc-123');
      assert.equal(calls[0]?.headers['x-correlation-id'], 'abc-123');
      const made = await ask('/', { headers: { 'x-correlation-id': 'not sound!' } });
      const id = made.headers.get('x-correlation-id') as string;
      assert.match(id, /^[A-Za-z0-9._-]{16,128}$/);
      assert.equal(calls[1]?.headers['x-correlation-id'], id);
    });

    test('no app and no server is asked for the gateway’s own paths', async (t) => {
      const { ask, calls } = await mode.open(t, () => ({ body: 'app' }), {});
      const health = await ask('/health');
      assert.deepEqual([health.status, ((await health.json()) as { status: string }).status], [200, 'healthy']);
      assert.match(await (await ask('/metrics')).text(), /^# HELP /m);
      assert.equal(calls.length, 0);
    });
  });
}
