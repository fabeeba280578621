import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { isSource } from '../../src/http/body.js';
import { headerOf } from '../../src/http/headers.js';
import type { Problem } from '../../src/http/problem.js';
import { failureKind } from '../../src/proxy/failureKind.js';
import { answering, callOf, exchangeOf, httpServer, poolOf, proxyTo, rawServer, Recorder, rejection, until } from './proxyTools.js';

describe('the answer', () => {
  test('a small body that came with its head is given at once when it is asked for', async (t) => {
    const { url } = await answering(t, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello');
    const { forward } = proxyTo(t, poolOf([url]));
    const answer = await forward(exchangeOf(), callOf());
    assert.deepEqual(answer.headers, ['X-A', '1', 'X-A', '2', 'content-length', '5']);
    const sink = new Recorder();
    assert.ok(isSource(answer.body));
    answer.body.start(sink);
    assert.equal(Buffer.concat(sink.chunks).toString(), 'hello');
    assert.equal(sink.ended, true);
  });

  test('has no body for HEAD, 204 and 304, and a HEAD keeps its length', async (t) => {
    const { url } = await httpServer(t, (request, response) => {
      response.writeHead(Number(request.url?.slice(1)), { 'content-length': request.url === '/200' ? '7' : '0' }).end();
    });
    const { ask } = proxyTo(t, poolOf([url]));
    const head = await ask({ method: 'HEAD', path: '/200' });
    assert.equal(head.answer.body, undefined);
    assert.equal(headerOf(head.headers, 'content-length'), '7');
    for (const path of ['/204', '/304']) assert.equal((await ask({ path })).answer.body, undefined);
  });

  test('a slow taker holds the upstream back, and loses nothing', async (t) => {
    const whole = 8 * 1024 * 1024;
    let written = 0;
    const { url } = await httpServer(t, (_request, response) => {
      const more = (): void => {
        while (written < whole) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536, 'x'))) {
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    });
    const { forward } = proxyTo(t, poolOf([url]));
    const { body } = await forward(exchangeOf(), callOf());
    assert.ok(isSource(body));
    let open = false;
    const sink = new Recorder(() => open);
    body.start(sink);
    await until(() => written > 0 && sink.length > 0);
    for (let before = -1; before !== written;) {
      before = written;
      for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(sink.length < 200_000, `${sink.length} bytes were pressed into a sink that was full`);
    assert.ok(written < whole, 'the upstream wrote all of it');
    open = true;
    body.resume();
    await until(() => sink.ended);
    assert.equal(sink.length, whole);
  });

  test('a taker that asks for more while it is given some is not forgotten', async (t) => {
    const { url } = await httpServer(t, (_request, response) => void response.end(Buffer.alloc(1_000_000)));
    const { forward } = proxyTo(t, poolOf([url]));
    const { body } = await forward(exchangeOf(), callOf());
    assert.ok(isSource(body));
    const sink = new Recorder(() => {
      body.resume();
      return false;
    });
    body.start(sink);
    await until(() => sink.ended);
    assert.equal(sink.length, 1_000_000);
  });

  test('trailers follow a chunked body, without those that must not', async (t) => {
    const { url } = await answering(
      t,
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 9\r\nSet-Cookie: a=b\r\n\r\n',
    );
    const { forward } = proxyTo(t, poolOf([url]));
    const request = { httpVersion: '1.1' } as IncomingMessage;
    const { body, headers } = await forward(exchangeOf({ origin: { request } }), callOf());
    assert.ok(isSource(body));
    const sink = new Recorder();
    body.start(sink);
    await until(() => sink.ended);
    assert.deepEqual(sink.trailers, ['X-Sum', '9']);
    assert.deepEqual(headers, ['trailer', 'X-Sum']);
  });

  for (const [what, bytes] of [
    ['the upstream ends before the promised length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'],
    ['a chunked body breaks off', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ] as const) {
    test(`fails the body when ${what}`, async (t) => {
      const { url } = await rawServer(t, (socket) => socket.once('data', () => socket.end(bytes)));
      const { forward, upstream } = proxyTo(t, poolOf([url]));
      const { body } = await forward(exchangeOf(), callOf());
      assert.ok(isSource(body));
      const sink = new Recorder();
      body.start(sink);
      await until(() => sink.failure !== undefined);
      assert.equal(sink.ended, false);
      assert.equal(upstream.servers[0]?.active, 0);
      assert.equal(upstream.servers[0]?.failures, 1);
    });
  }

  test('a fault of the server before the head is a bad gateway that tells nothing of it', async (t) => {
    for (const bytes of ['', 'HTTP/1.1 200 OK\r\nX: ', 'nonsense\r\n\r\n', 'HTTP/1.1 101 Switching Protocols\r\n\r\n']) {
      const { url } = await rawServer(t, (socket) => socket.once('data', () => socket.end(bytes)));
      const { ask } = proxyTo(t, poolOf([url]));
      const error = (await rejection(ask())) as Problem;
      assert.equal(error.type, 'bad_gateway');
      assert.equal(failureKind(error), 'reset');
      assert.ok(!error.message.includes('127.0.0.1'));
    }
  });

  test('control characters in a field of the upstream do no harm', async (t) => {
    for (const value of ['a\x01b', 'a\x7fb', 'a\x00b']) {
      const { url } = await answering(t, `HTTP/1.1 200 OK\r\nX-Bad: ${value}\r\nContent-Length: 0\r\n\r\n`);
      const { ask } = proxyTo(t, poolOf([url]));
      const error = (await rejection(ask())) as Problem;
      assert.equal(error.type, 'bad_gateway');
    }
  });

  test('bytes beyond ASCII in a field pass unchanged', async (t) => {
    const { url } = await answering(t, 'HTTP/1.1 200 OK\r\nX-Name: J\xfcrgen\r\nContent-Length: 0\r\n\r\n');
    const { headers } = await proxyTo(t, poolOf([url])).ask();
    assert.equal(headerOf(headers, 'x-name'), 'Jürgen');
  });

  test('early hints go to the client, and the answer follows', async (t) => {
    const { url } = await answering(
      t,
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    );
    const told: unknown[] = [];
    const response = {
      headersSent: false,
      destroyed: false,
      writeEarlyHints: (hints: unknown) => told.push(hints),
      writeProcessing: () => told.push(102),
    } as never;
    const { text } = await proxyTo(t, poolOf([url])).ask({ origin: { response } });
    assert.equal(text, 'ok');
    assert.deepEqual(told, [{ link: ['</a.css>; rel=preload'] }, 102]);
  });
});

describe('the request', () => {
  test('a body in memory and a body that streams arrive whole, each with its framing', async (t) => {
    const { url } = await httpServer(t, (request, response) => {
      let got = '';
      request.on('data', (chunk) => (got += chunk));
      request.on('end', () => response.end(`${got} ${request.headers['content-length'] ?? request.headers['transfer-encoding']}`));
    });
    const { ask } = proxyTo(t, poolOf([url]));
    const lying = ['Content-Length', '3', 'Transfer-Encoding', 'chunked', 'Content-Length', '4'];
    assert.equal((await ask({ method: 'POST', body: Buffer.from('memory'), headers: lying })).text, 'memory 6');
    assert.equal((await ask({ method: 'POST', body: Readable.from([Buffer.from('st'), Buffer.from('ream')]) })).text, 'stream chunked');
    const known = ['Content-Length', '5', 'content-length', '5'];
    assert.equal((await ask({ method: 'POST', body: Readable.from([Buffer.from('known')]), headers: known })).text, 'known 5');
    assert.equal((await ask({ method: 'DELETE', body: Readable.from([Buffer.from('gone')]) })).text, 'gone chunked');
    assert.equal((await ask({ method: 'POST' })).text, ' 0');
  });

  test('an answer that comes early does not break the upload of the client, which goes on to be read', async (t) => {
    const { url } = await httpServer(t, (_request, response) => void response.writeHead(413, { connection: 'close' }).end('no'));
    const { ask } = proxyTo(t, poolOf([url]));
    const upload = new PassThrough();
    upload.write(Buffer.alloc(10));
    const { status, text } = await ask({ method: 'POST', body: upload });
    assert.deepEqual([status, text], [413, 'no']);
    await until(() => upload.listenerCount('end') === 0);
    assert.equal(upload.destroyed, false);
    upload.end(Buffer.alloc(10));
    await once(upload, 'end');
  });

  test('an upload that the client breaks off is no fault of the server', async (t) => {
    const arrived: IncomingMessage[] = [];
    const { url } = await httpServer(t, (request) => {
      request.on('error', () => undefined);
      arrived.push(request);
    });
    const { ask, upstream } = proxyTo(t, poolOf([url]));
    const upload = new PassThrough();
    upload.write('part');
    const asked = rejection(ask({ method: 'POST', body: upload }));
    await until(() => arrived.length === 1);
    upload.destroy(new Error('gone'));
    assert.equal(((await asked) as Problem).type, 'client_closed_request');
    assert.equal(upstream.servers[0]?.failures, 0);
    await until(() => arrived[0]?.destroyed === true);
  });

  test('nothing is followed, and no cookie is kept', async (t) => {
    let asked = 0;
    const { url } = await httpServer(t, (request, response) => {
      asked++;
      response.writeHead(302, { location: '/elsewhere', 'set-cookie': 'a=1', 'x-cookie': request.headers.cookie ?? 'none' }).end();
    });
    const { ask } = proxyTo(t, poolOf([url]));
    await ask();
    const { status, headers } = await ask();
    assert.equal(status, 302);
    assert.equal(headerOf(headers, 'x-cookie'), 'none');
    assert.equal(asked, 2);
  });

  test('a target that is no path is refused without a connection', async (t) => {
    const { url, sockets } = await rawServer(t, () => undefined);
    const { ask, upstream } = proxyTo(t, poolOf([url]));
    assert.equal(((await rejection(ask({ path: '*' }))) as Problem).type, 'bad_gateway');
    assert.equal(sockets.length, 0);
    assert.equal(upstream.servers[0]?.failures, 0);
  });
});
