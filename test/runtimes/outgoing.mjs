// Requests that go out.
import assert from 'node:assert/strict';
import { CircuitBreakerOpenError, TimeoutError } from 'premier';
import { createFetch, premierInterceptor } from 'premier/fetch';
import { check, deadUrl, open } from './harness.mjs';

check('createFetch: tries again, with its body', async (undo) => {
  const bodies = [];
  const url = await open(undo, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    response.writeHead(bodies.length === 1 ? 503 : 200).end('done');
  });
  const fetch = createFetch({ retry: { maxAttempts: 2, wait: '1ms' } });
  assert.equal(await (await fetch(url, { method: 'PUT', body: 'hello' })).text(), 'done');
  assert.deepEqual(bodies, ['hello', 'hello']);
});

check('createFetch: a circuit for each origin', async () => {
  const fetch = createFetch({ circuitBreaker: { failureThreshold: 1, recoveryTimeout: 60 } });
  const url = await deadUrl();
  await assert.rejects(fetch(url), (error) => !(error instanceof CircuitBreakerOpenError));
  await assert.rejects(fetch(url), CircuitBreakerOpenError);
});

check('createFetch: a timeout, and a signal of the caller', async (undo) => {
  const url = await open(undo, () => undefined);
  const fetch = createFetch({ timeout: '100ms' });
  await assert.rejects(fetch(url), TimeoutError);
  await assert.rejects(fetch(url, { signal: AbortSignal.abort(new RangeError('mine')) }), RangeError);
});

check('createFetch: keeps what may be kept', async (undo) => {
  let runs = 0;
  const url = await open(undo, (_request, response) => {
    response.setHeader('Cache-Control', 'max-age=60');
    response.end(String(++runs));
  });
  const fetch = createFetch({ cache: {} });
  assert.equal(await (await fetch(url)).text(), '1');
  // An answer is kept once its body has passed, which may be a moment after the caller has it.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await (await fetch(url)).text(), '1');
});

/** `name` is what undici is imported by. */
function interceptor(name, not) {
  check(
    `premierInterceptor: ${name}`,
    async (undo) => {
      let asked = 0;
      const url = await open(undo, (_request, response) => response.writeHead(++asked === 1 ? 503 : 200).end('done'));
      const { Agent, request } = await import(name);
      const agent = new Agent().compose(premierInterceptor({ retry: { maxAttempts: 2, wait: '1ms' } }));
      undo(() => agent.close());
      const { body } = await request(url, { dispatcher: agent });
      assert.equal(await body.text(), 'done');
      assert.equal(asked, 2);
    },
    not,
  );
}

interceptor('undici', { bun: 'Bun answers `undici` with a module of its own, which has little of it' });
interceptor('undici/index.js');
