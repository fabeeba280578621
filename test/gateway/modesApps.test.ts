import assert from 'node:assert/strict';
import { createReadStream, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import express from 'express';
import type { App } from '../../src/gateway/app.js';
import type { Features } from '../../src/gateway/config/featureSchemas.js';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import { gate, openGateway, rawRequest, send, turn, until } from '../support/gateways.js';

/** Nothing that looks at the answer, so that the app writes to the client by itself; and a policy that does. */
const plans: readonly (readonly [name: string, features: Partial<Record<keyof Features, unknown>>])[] = [
  ['the client’s response', { rate_limit: { quota: 100, duration: 60 } }],
  ['a response of its own', { timeout: { seconds: 60 } }],
];

function pathsOf(features: object): GatewayOptions {
  return { paths: [{ pattern: '*', features }] };
}

const whole = readFileSync('package.json', 'utf8');
const ways: readonly (readonly [name: string, write: (request: express.Request, response: express.Response) => unknown])[] = [
  ['end', (_request, response) => response.end(whole)],
  ['send', (_request, response) => response.send(whole)],
  ['sendFile', (_request, response) => response.sendFile(resolve('package.json'))],
  ['pipe', (_request, response) => createReadStream('package.json', { highWaterMark: 100 }).pipe(response)],
  ['flushHeaders and end', (_request, response) => response.flushHeaders() ?? response.end(whole)],
  [
    'write, its callbacks and an empty end',
    (_request, response) => response.write(whole.slice(0, 10), () => response.write(Buffer.from(whole.slice(10)), () => response.end())),
  ],
  [
    'cork and latin1',
    (_request, response) => {
      response.cork();
      response.write(whole.slice(0, 10), 'latin1');
      response.uncork();
      response.end(whole.slice(10), 'latin1');
    },
  ],
  [
    'a static folder',
    (incoming, response) => express.static('.')(Object.assign(incoming, { url: '/package.json' }), response, () => undefined),
  ],
];

const secret = new Error('secret database password');
const nodeApps: readonly (readonly [name: string, app: App])[] = [
  [
    'throws at once',
    () => {
      throw secret;
    },
  ],
  ['rejects at once', () => Promise.reject(secret)],
  [
    'rejects later',
    async () => {
      await turn();
      throw secret;
    },
  ],
  [
    'rejects after it set fields',
    async (_request: IncomingMessage, response: ServerResponse) => {
      response.statusCode = 201;
      response.setHeader('x-secret', 'left over');
      await turn();
      throw secret;
    },
  ],
  [
    'is a fetch handler that throws',
    {
      fetch() {
        throw secret;
      },
    },
  ],
  ['is a fetch handler that rejects', { fetch: () => Promise.reject(secret) }],
];

for (const [plan, features] of plans) {
  describe(`an app with ${plan}`, () => {
    for (const [name, app] of nodeApps) {
      test(`that ${name} is answered for with a 500 that says nothing of it`, async (t) => {
        const { url } = await openGateway(t, pathsOf(features), { app });
        const answer = await send(url);
        assert.equal(answer.status, 500);
        const { error } = JSON.parse(answer.body) as { error: { type: string; message: string } };
        assert.equal(error.type, 'internal_server_error');
        assert.doesNotMatch(JSON.stringify(answer), /secret/);
        assert.equal((await send(url)).status, 500);
      });
    }

    test('that throws in the midst of its answer breaks the connection', async (t) => {
      const { port } = await openGateway(t, pathsOf(features), {
        app: async (_request: IncomingMessage, response: ServerResponse) => {
          response.writeHead(200, { 'content-type': 'text/plain' });
          response.write('half');
          await turn();
          throw secret;
        },
      });
      const received = await rawRequest(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      assert.doesNotMatch(received, /\r\n0\r\n\r\n$/);
      assert.doesNotMatch(received, /secret/);
    });

    test('that throws after its answer has answered all the same', async (t) => {
      const { url } = await openGateway(t, pathsOf(features), {
        app: async (_request: IncomingMessage, response: ServerResponse) => {
          response.end('whole');
          throw secret;
        },
      });
      assert.equal((await send(url)).body, 'whole');
    });

    test('cannot take the gateway’s fields away, however it writes its head', async (t) => {
      const heads: ((response: ServerResponse) => void)[] = [
        (response) => response.setHeader('X-Correlation-ID', 'own').end(),
        (response) => response.writeHead(200, { 'x-correlation-id': 'own', 'x-else': '1' }).end(),
        (response) =>
          response.writeHead(200, 'Fine', ['x-correlation-id', 'own', 'x-else', '1', 'set-cookie', 'a=1', 'set-cookie', 'b=2']).end(),
      ];
      for (const head of heads) {
        const { url } = await openGateway(t, pathsOf(features), {
          app: (_request: IncomingMessage, response: ServerResponse) => head(response),
        });
        const { rawHeaders } = await send(url, { headers: { 'x-correlation-id': 'given' } });
        const ids = rawHeaders.filter((_, i) => (rawHeaders[i - 1] ?? '').toLowerCase() === 'x-correlation-id');
        assert.deepEqual(ids, ['given']);
      }
    });

    test('sees one canonical path, and none of what a client claims about itself', async (t) => {
      const seen: IncomingMessage[] = [];
      const { port } = await openGateway(t, pathsOf(features), {
        app: (incoming: IncomingMessage, response: ServerResponse) => {
          seen.push(incoming);
          response.end();
        },
      });
      await rawRequest(
        port,
        'GET /%61//b/./x/../c%2fd?q=%61 HTTP/1.1\r\nHost: a\r\nX-Consumer: root\r\nX-Other: 1\r\nX-Correlation-ID: mine\r\nConnection: close\r\n\r\n',
      );
      const [incoming] = seen as [IncomingMessage];
      assert.equal(incoming.url, '/a/b/c%2Fd?q=%61');
      assert.equal(incoming.headers['x-consumer'], undefined);
      assert.equal(incoming.headers['x-correlation-id'], 'mine');
      assert.equal(incoming.headers['x-other'], '1');
      assert.ok(!incoming.rawHeaders.includes('root'));
      assert.deepEqual(incoming.headersDistinct['x-other'], ['1']);
    });

    for (const [name, write] of ways) {
      test(`that writes with ${name} is heard to the end, and hears it`, async (t) => {
        const [finished, closed] = [gate(), gate()];
        const app = express().use((incoming, response) => {
          response.on('finish', () => finished.open()).on('close', () => closed.open());
          return write(incoming, response);
        });
        const { url } = await openGateway(t, pathsOf(features), { app });
        const answer = await send(url);
        assert.deepEqual([answer.status, answer.body], [200, whole]);
        await Promise.all([finished.opened, closed.opened]);
      });
    }

    test('that reads a body beyond its limit gets an error, and the client a 413', async (t) => {
      const reading = gate();
      const { port } = await openGateway(t, pathsOf({ ...features, body_limit: { max_bytes: 10 } }), {
        app: async (incoming: IncomingMessage, response: ServerResponse) => {
          reading.open();
          response.end(await text(incoming));
        },
      });
      const socket = connect(port, '127.0.0.1');
      let received = '';
      socket.on('data', (chunk) => (received += chunk.toString())).on('error', () => undefined);
      socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n');
      await reading.opened;
      socket.write('6\r\nfghijk\r\n');
      await until(() => received.includes('payload_too_large'));
      assert.match(received, /^HTTP\/1\.1 413 /);
      socket.destroy();
    });
  });
}
