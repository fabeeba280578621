import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { makeGateway } from '../support/gateways.js';

test('a request body that breaks while nobody reads it ends no process', async (t) => {
  const gateway = await makeGateway(t, { log: { level: 'silent' } }, { app: { fetch: () => new Response('read by nobody') } });
  const uncaught: unknown[] = [];
  const hear = (error: unknown): void => void uncaught.push(error);
  process.on('uncaughtException', hear);
  t.after(() => process.off('uncaughtException', hear));
  let broken: ReadableStreamDefaultController | undefined;
  const body = new ReadableStream({
    start(controller) {
      broken = controller;
      controller.enqueue(new Uint8Array(3));
    },
  });
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, duplex: 'half' };
  assert.equal((await gateway.fetch(new Request('http://x/metrics', init))).status, 405);
  broken?.error(new Error('the client left'));
  for (let i = 0; i < 5; i++) await turn();
  assert.deepEqual(uncaught, []);
});
