import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { App } from '../../src/gateway/app.js';
import { openGateway } from '../support/gateways.js';
import { head, wire } from './checklistTools.js';

const promised = (length: string): { headers: Record<string, string> } => ({ headers: { 'content-length': length } });

function streamOf(...parts: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => void setImmediate(resolve));
      const part = parts.shift();
      if (part === undefined) controller.close();
      else controller.enqueue(Buffer.from(part));
    },
  });
}

/** All that comes back where two requests share a connection, without the fields that differ each time. */
async function twice(t: TestContext, app: App): Promise<string> {
  const { port } = await openGateway(t, { default_features: { headers: { response: { set: { 'X-Seen': 'yes' } } } } }, { app });
  const client = wire(t, port);
  client.write(head('GET /one HTTP/1.1', 'Host: a') + head('GET /two HTTP/1.1', 'Host: a', 'Connection: close'));
  return client.end();
}

describe('the Content-Length of an app', () => {
  const whole: readonly (readonly [name: string, app: App])[] = [
    ['too short, of a fetch app', { fetch: () => new Response('hello world', promised('5')) }],
    ['too long, of a fetch app', { fetch: () => new Response('hello world', promised('50')) }],
    ['no number, of a fetch app', { fetch: () => new Response('hello world', promised('many')) }],
  ];
  for (const [name, app] of whole) {
    test(`is measured where the body is there as a whole: ${name}`, async (t) => {
      const received = await twice(t, app);
      assert.deepEqual(received.match(/content-length: .*/gi), ['Content-Length: 11', 'Content-Length: 11']);
      assert.equal(received.match(/\r\n\r\nhello world/g)?.length, 2);
    });
  }

  const streamed: readonly (readonly [name: string, app: App])[] = [
    ['too much', { fetch: () => new Response(streamOf('hello', 'HTTP/1.1 200 OK'), promised('5')) }],
    ['too little', { fetch: () => new Response(streamOf('hel', 'l'), promised('5')) }],
    [
      'too much, of a node app',
      (_request, response) => {
        response.writeHead(200, { 'content-length': 5 }).write('hello');
        setImmediate(() => response.end('HTTP/1.1 200 OK'));
      },
    ],
    ['too much at once, of a node app', (_request, response) => void response.writeHead(200, { 'content-length': 5 }).end('hello world')],
    ['too little at once, of a node app', (_request, response) => void response.writeHead(200, { 'content-length': 50 }).end('hello')],
  ];
  for (const [name, app] of streamed) {
    test(`breaks the connection where a stream does not keep it: ${name}`, async (t) => {
      const received = await twice(t, app);
      assert.match(received, /^(?:HTTP\/1\.1 200 OK\r\n(?:[\w-]+: .*\r\n)+\r\nhello?)?$/);
    });
  }

  test('that a stream keeps stands, and what is no length of a stream is left out', async (t) => {
    const kept = await twice(t, { fetch: () => new Response(streamOf('hel', 'lo'), promised('5')) });
    assert.equal(kept.match(/content-length: 5\r\n/g)?.length, 2);
    assert.equal(kept.match(/\r\n\r\nhello/g)?.length, 2);
    const none = await twice(t, { fetch: () => new Response(streamOf('hel', 'lo'), promised('-5')) });
    assert.doesNotMatch(none, /content-length/i);
    assert.equal(none.match(/Transfer-Encoding: chunked/g)?.length, 2);
    const app: App = (_request, response) => void response.writeHead(200, ['content-length', '5', 'content-length', '6']).end('hello');
    assert.equal((await twice(t, app)).match(/Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0/g)?.length, 2);
  });

  test('of an answer to HEAD is what GET would have', async (t) => {
    const { url } = await openGateway(t, {}, { app: { fetch: () => new Response(null, promised('50')) } });
    assert.equal((await fetch(url, { method: 'HEAD' })).headers.get('content-length'), '50');
    assert.equal((await fetch(url)).headers.get('content-length'), '0');
  });
});
