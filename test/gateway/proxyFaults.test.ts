import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { isSource } from '../../src/http/body.js';
import type { Problem } from '../../src/http/problem.js';
import { failureKind } from '../../src/proxy/failureKind.js';
import { deadUrl } from '../support/gateways.js';
import { answering, callOf, exchangeOf, httpServer, poolOf, proxyTo, rawServer, Recorder, rejection, turns, until } from './proxyTools.js';

describe('what goes wrong on the way', () => {
  test('a refused connection is a connect error', async (t) => {
    const error = (await rejection(proxyTo(t, poolOf([await deadUrl()])).ask())) as Problem;
    assert.equal(error.status, 502);
    assert.equal(failureKind(error), 'connect_error');
  });

  test('a name that does not exist is not fatal', async (t) => {
    const error = await rejection(proxyTo(t, poolOf(['http://no-such-host.invalid:80'])).ask());
    assert.equal(failureKind(error), 'connect_error');
  });

  test('a refused connection goes to another server at once, whatever the method, and its body whole', async (t) => {
    const { url } = await httpServer(t, (request, response) => void request.pipe(response));
    const { ask } = proxyTo(t, poolOf([await deadUrl(), await deadUrl(), url]));
    const { text, exchange } = await ask({ method: 'POST', body: Readable.from([Buffer.from('once')]) });
    assert.equal(text, 'once');
    assert.equal(exchange.server, url);
  });

  test('every server is tried once, and no more', async (t) => {
    const { ask, upstream } = proxyTo(t, poolOf([await deadUrl(), await deadUrl()], { health: { max_fails: 5 } }));
    assert.equal(failureKind(await rejection(ask())), 'connect_error');
    assert.deepEqual(
      upstream.servers.map(({ requests }) => requests),
      [1, 1],
    );
  });

  const stale = (t: Parameters<typeof rawServer>[0]) =>
    rawServer(t, (socket, nth) => {
      let asked = 0;
      socket.on('data', () => {
        asked++;
        if (nth === 0 && asked === 2) socket.destroy();
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });

  test('a connection that was closed just as it was used again is replaced once, for what may be sent twice', async (t) => {
    const { url, sockets } = await stale(t);
    const { ask, upstream } = proxyTo(t, poolOf([url]));
    await ask().then(turns);
    assert.equal((await ask({ method: 'PUT', body: Buffer.from('x') })).text, 'ok');
    assert.equal(sockets.length, 2);
    assert.equal(upstream.servers[0]?.failures, 0);
    assert.equal(upstream.servers[0]?.active, 0);
  });

  test('a POST on such a connection is not sent twice', async (t) => {
    const { url, sockets } = await stale(t);
    const { ask } = proxyTo(t, poolOf([url]));
    await ask().then(turns);
    assert.equal(failureKind(await rejection(ask({ method: 'POST', body: Buffer.from('x') }))), 'reset');
    assert.equal(sockets.length, 1);
  });

  test('a reset on a fresh connection is not replayed', async (t) => {
    const { url, sockets } = await rawServer(t, (socket) => socket.once('data', () => socket.destroy()));
    assert.equal(failureKind(await rejection(proxyTo(t, poolOf([url])).ask())), 'reset');
    assert.equal(sockets.length, 1);
  });

  test('a call that is aborted before the head takes its connection with it', async (t) => {
    const { url, sockets } = await rawServer(t, () => undefined);
    const { forward, upstream } = proxyTo(t, poolOf([url]));
    const call = callOf();
    const asked = rejection(forward(exchangeOf(), call));
    await until(() => sockets.length === 1 && (sockets[0]?.bytesRead ?? 0) >= 0);
    await once(sockets[0] as NonNullable<(typeof sockets)[0]>, 'data');
    const reason = new Error('the client left');
    call.abort(reason);
    assert.equal(await asked, reason);
    await once(sockets[0] as NonNullable<(typeof sockets)[0]>, 'close');
    assert.equal(upstream.servers[0]?.active, 0);
    assert.equal(upstream.servers[0]?.failures, 0);
  });

  test('a call that was aborted already is not sent', async (t) => {
    const { url, sockets } = await rawServer(t, () => undefined);
    const call = callOf();
    call.abort(new Error('early'));
    assert.match(String(await rejection(proxyTo(t, poolOf([url])).forward(exchangeOf(), call))), /early/);
    assert.equal(sockets.length, 0);
  });

  test('a call that is aborted while it waits for a connection leaves the line', async (t) => {
    let held: (() => void) | undefined;
    let asked = 0;
    const { url } = await httpServer(t, (_request, response) => {
      asked++;
      held = () => void response.end('ok');
    });
    const { ask, forward } = proxyTo(t, poolOf([url], { connections: 1 }));
    const first = ask();
    await until(() => held !== undefined);
    const call = callOf();
    const second = rejection(forward(exchangeOf(), call));
    const third = ask();
    call.abort(new Error('enough'));
    assert.match(String(await second), /enough/);
    const release = held as unknown as () => void;
    held = undefined;
    release();
    await first;
    await until(() => held !== undefined);
    (held as unknown as () => void)();
    assert.equal((await third).text, 'ok');
    assert.equal(asked, 2);
  });

  test('a call that is aborted after the head cancels the body', async (t) => {
    const { url, sockets } = await rawServer(t, (socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')),
    );
    const { forward, upstream } = proxyTo(t, poolOf([url]));
    const call = callOf();
    const { body } = await forward(exchangeOf(), call);
    assert.ok(isSource(body));
    const sink = new Recorder();
    body.start(sink);
    call.abort(new Error('a hedge won'));
    assert.match(String(sink.failure), /a hedge won/);
    await once(sockets[0] as NonNullable<(typeof sockets)[0]>, 'close');
    assert.equal(upstream.servers[0]?.active, 0);
    assert.equal(upstream.servers[0]?.failures, 0);
  });

  test('a body that is cancelled, before or after its start, frees the connection', async (t) => {
    const { url, sockets } = await rawServer(t, (socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')),
    );
    const { forward, upstream } = proxyTo(t, poolOf([url]));
    for (const starts of [true, false]) {
      const { body } = await forward(exchangeOf(), callOf());
      assert.ok(isSource(body));
      const sink = new Recorder();
      if (starts) body.start(sink);
      body.cancel(new Error('enough'));
      body.cancel(new Error('twice is safe'));
      await once(sockets.at(-1) as NonNullable<(typeof sockets)[0]>, 'close');
      assert.deepEqual([sink.ended, sink.failure], [false, undefined]);
      assert.equal(upstream.servers[0]?.active, 0);
    }
  });
});

describe('connections', () => {
  test('are used again, the last one first', async (t) => {
    const { url, sockets } = await answering(t, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    const { ask } = proxyTo(t, poolOf([url]));
    for (let i = 0; i < 5; i++) await ask().then(turns);
    assert.equal(sockets.length, 1);
  });

  test('are not used again where keep_alive is 0', async (t) => {
    const { url, sockets } = await answering(t, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    const { ask } = proxyTo(t, poolOf([url], { keep_alive: 0 }));
    for (let i = 0; i < 3; i++) await ask();
    assert.equal(sockets.length, 3);
  });

  test('are never more than configured; the others wait', async (t) => {
    const { url, server } = await httpServer(t, (_request, response) => void setImmediate(() => response.end('ok')));
    let connections = 0;
    server.on('connection', () => connections++);
    const { ask } = proxyTo(t, poolOf([url], { connections: 3 }));
    const all = await Promise.all(Array.from({ length: 20 }, () => ask()));
    assert.ok(all.every(({ text }) => text === 'ok'));
    assert.equal(connections, 3);
  });

  test('are renewed after half a minute, so that a name may come to mean another address', async (t) => {
    const { url, sockets } = await answering(t, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    let now = 0;
    const clock = { now: () => now, monotonic: () => now, setTimer: () => ({ clear() {}, ref() {}, unref() {} }) };
    const { ask } = proxyTo(t, poolOf([url], { keep_alive: 60_000 }), { clock });
    await ask().then(turns);
    now = 31_000;
    await ask();
    assert.equal(sockets.length, 1);
    await once(sockets[0] as NonNullable<(typeof sockets)[0]>, 'close');
    await ask();
    assert.equal(sockets.length, 2);
  });

  test('a pool that closes waits for its requests, and ends what takes too long', async (t) => {
    let release: (() => void) | undefined;
    const { url } = await httpServer(t, (_request, response) => {
      release = () => void response.end('late');
    });
    const { ask, upstream } = proxyTo(t, poolOf([url]));
    const asked = ask();
    await until(() => release !== undefined);
    const closed = upstream.close(60_000);
    release?.();
    assert.equal((await asked).text, 'late');
    await closed;
    assert.equal(failureKind(await rejection(ask())), 'unavailable');

    const stuck = proxyTo(t, poolOf([url]));
    release = undefined;
    const lost = rejection(stuck.ask());
    await until(() => release !== undefined);
    await stuck.upstream.close(1);
    assert.equal(((await lost) as Problem).status, 502);
  });
});
