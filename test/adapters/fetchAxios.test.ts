import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import axios, { type AxiosError, create } from 'axios';
import { createFetch } from '../../src/adapters/fetch/index.js';
import { Premier } from '../../src/index.js';
import { outcome } from '../support/doubles.js';
import { say, serve } from './fetchTools.js';

const quick = { maxAttempts: 3, wait: 0 };

describe('axios', () => {
  test('takes the fetch, which sends a body again and gives the good answer', async (t) => {
    const server = await serve(t, (_request, response, turn) =>
      turn < 2 ? say(response, 503) : say(response, 200, '{"done":true}', { 'content-type': 'application/json' }),
    );
    const client = create({ baseURL: server.url, adapter: 'fetch', env: { fetch: createFetch({ retry: quick }) } });
    const { status, data } = await client.put<unknown>('/books/1', { title: 'Emma' });
    assert.deepEqual([status, data], [200, { done: true }]);
    assert.deepEqual(server.asked, Array(3).fill('PUT /books/1 {"title":"Emma"}'));
  });

  test('tells what a policy refused, and the status of the last attempt', async (t) => {
    const server = await serve(t, (_request, response) => say(response, 503));
    const fetch = createFetch({ retry: { ...quick, maxAttempts: 2 }, circuitBreaker: { failureThreshold: 2, recoveryTimeout: 30 } });
    const client = create({ baseURL: server.url, adapter: 'fetch', env: { fetch } });
    const failed = async (): Promise<AxiosError> => (await outcome(client.get('/'))).error as AxiosError;
    assert.equal((await failed()).response?.status, 503);
    const { code, cause } = await failed();
    assert.deepEqual([code, (cause as { name?: string }).name], ['PREMIER_CIRCUIT_OPEN', 'CircuitBreakerOpenError']);
    assert.equal(server.asked.length, 2);
  });

  test('in a function has the policies of functions, which read its Retry-After', async (t) => {
    const server = await serve(t, (_request, response, turn) =>
      turn === 0 ? say(response, 503, '', { 'retry-after': '0' }) : say(response, 200, 'good'),
    );
    const premier = new Premier();
    const waits: number[] = [];
    premier.on('retried', ({ wait }) => waits.push(wait));
    const get = premier.retry({ maxAttempts: 2, wait: 0 })(async () => (await axios.get<string>(server.url)).data);
    assert.equal(await get(), 'good');
    assert.deepEqual(waits, [0]);
  });
});
