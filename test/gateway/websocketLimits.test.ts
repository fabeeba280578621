import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { States } from '../../src/core/registry.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { dialling, handshake, masked, Raw, TestGateway, upstream } from './websocketGateway.js';
import { closing, frames, Seen } from './websocketPeers.js';

describe('limits of a WebSocket', { timeout: 60_000 }, () => {
  it('closes with 1009 when a message is too long, and none of it reaches the upstream', async (test) => {
    const seen = new Seen();
    const up = await upstream(test, seen.talk);
    const gateway = await new TestGateway({ forward: up.forward, options: { max_message_bytes: 1000 } }).listen(test);
    const client = await gateway.connect('/ws', [], { perMessageDeflate: false });
    client.send('x'.repeat(1000));
    client.send('y'.repeat(1001));
    client.send('z');
    assert.deepEqual(await closing(client), [1009, 'the message is too long']);
    await gateway.until(() => gateway.ends.length === 1);
    assert.equal(gateway.ends[0]?.by, 'limit');
    assert.equal(gateway.ends[0]?.code, 1009);
    for (const socket of up.sockets) await once(socket, 'close');
    assert.deepEqual(seen.messages, ['x'.repeat(1000)]);
    assert.deepEqual(seen.codes, [1001]);
  });

  it('sums up the fragments of a message, even when every byte comes alone, and does not count pings', async (test) => {
    const seen = new Seen();
    const up = await upstream(test, seen.talk);
    const gateway = await new TestGateway({ forward: up.forward, options: { max_message_bytes: 200 } }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.setNoDelay(true);
    raw.socket.write(handshake());
    await raw.until((text) => text.includes('hello'));
    const part = Buffer.alloc(100, 97);
    const good = [masked(1, part, false), masked(9, Buffer.alloc(125, 98)), masked(0, part), masked(2, Buffer.alloc(200, 99))];
    const bad = [masked(1, part, false), masked(0, part, false), masked(0, Buffer.of(100))];
    for (const byte of Buffer.concat([...good, ...bad])) {
      raw.socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await raw.all();
    assert.equal(frames(raw.received).at(-1), 'close 1009');
    assert.deepEqual(
      seen.messages.map((text) => text.length),
      [200, 200],
    );
    assert.deepEqual(seen.codes, [1001], 'the close frame stood where the upstream expected a frame');
  });

  it('refuses a length that no message can have', async (test) => {
    const up = await upstream(test, new Seen().talk);
    const gateway = await new TestGateway({ forward: up.forward, options: { max_message_bytes: 1000 } }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(Buffer.concat([Buffer.from(handshake()), Buffer.of(0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4)]));
    await raw.all();
    assert.equal(frames(raw.received).at(-1), 'close 1009');
  });

  it('closes with 1008 when messages come too fast, and lets the bucket fill again', async (test) => {
    const clock = new FakeClock();
    const seen = new Seen();
    const up = await upstream(test, seen.talk);
    const gateway = await new TestGateway({ forward: up.forward, options: { max_messages_per_s: 5 }, clock }).listen(test);
    const client = await gateway.connect();
    const send = async (times: number): Promise<void> => {
      const before = seen.messages.length;
      for (let i = 0; i < times; i++) client.send('m');
      while (seen.messages.length < before + times) await new Promise((resolve) => setImmediate(resolve));
    };
    await send(5);
    await clock.advance('1s');
    await send(5);
    await clock.advance('200ms');
    await send(1);
    client.send('one too many');
    assert.deepEqual(await closing(client), [1008, 'too many messages']);
    assert.ok(!seen.messages.includes('one too many'));
  });

  it('closes a WebSocket on which nothing moves, and only then', async (test) => {
    const clock = new FakeClock();
    const seen = new Seen();
    const up = await upstream(test, seen.talk);
    const gateway = await new TestGateway({ forward: up.forward, options: { idle_timeout: 60 }, clock }).listen(test);
    const client = gateway.client();
    await once(client, 'message');
    await clock.advance('59s');
    client.send('still here');
    while (seen.messages.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance('59s');
    assert.equal(gateway.tunnels.size, 1);
    const closed = closing(client);
    await clock.advance('1s');
    assert.deepEqual(await closed, [1001, 'idle']);
    await gateway.until(() => gateway.ends.length === 1);
    assert.equal(gateway.ends[0]?.by, 'idle');
    assert.equal(gateway.ends[0]?.seconds, 118 + 1);
    assert.deepEqual(seen.codes, [1001]);
    assert.equal(clock.timers, 0);
  });

  it('holds a path to its number of connections, counting those that are being opened, beyond reloads', async (test) => {
    const up = await upstream(test, new Seen().talk);
    const registry = new States();
    const setup = { forward: up.forward, options: { max_connections: 2 }, registry };
    const gateway = await new TestGateway(setup).listen(test);
    const reloaded = await new TestGateway(setup).listen(test);
    const clients = [gateway.client(), gateway.client(), gateway.client()];
    const outcomes = await Promise.all(
      clients.map(
        (client) =>
          new Promise<number>((resolve) => {
            client.on('open', () => resolve(101));
            client.on('unexpected-response', (_request, { statusCode }) => resolve(statusCode ?? 0));
          }),
      ),
    );
    assert.deepEqual(outcomes.toSorted(), [101, 101, 503]);
    const late = new Raw(reloaded.port);
    late.socket.write(handshake());
    assert.match(await late.all(), /^HTTP\/1\.1 503 /);
    clients[outcomes.indexOf(101)]?.terminate();
    await gateway.until(() => gateway.sockets.size === 1);
    const next = await reloaded.connect();
    next.terminate();
  });

  it('gives the place back when the upstream refuses or is not there', async (test) => {
    const gateway = await new TestGateway({ forward: dialling(1), options: { max_connections: 1 } }).listen(test);
    for (let i = 0; i < 3; i++) {
      const raw = new Raw(gateway.port);
      raw.socket.write(handshake());
      assert.match(await raw.all(), /^HTTP\/1\.1 502 /);
    }
  });
});

describe('the origin of a WebSocket', { timeout: 60_000 }, () => {
  const cases: readonly (readonly [title: string, origins: string[], fields: string, status: number])[] = [
    ['is its own host', [], 'Origin: http://gate.test\r\nCookie: s=1\r\n', 101],
    ['is its own host behind TLS', [], 'Origin: https://GATE.test:443\r\nCookie: s=1\r\n', 101],
    ['is another host, with cookies', [], 'Origin: http://evil.test\r\nCookie: s=1\r\n', 403],
    ['is another port, with credentials', [], 'Origin: http://gate.test:81\r\nAuthorization: Basic eDp5\r\n', 403],
    ['only ends like its own', [], 'Origin: http://evilgate.test\r\nCookie: s=1\r\n', 403],
    ['is null, with cookies', [], 'Origin: null\r\nCookie: s=1\r\n', 403],
    ['is another host, without anything to steal', [], 'Origin: http://evil.test\r\n', 101],
    ['is not told, as by programs', [], 'Cookie: s=1\r\n', 101],
    ['is told twice', [], 'Origin: http://gate.test\r\nOrigin: http://evil.test\r\nCookie: s=1\r\n', 403],
    ['is listed', ['https://app.test'], 'Origin: https://app.test\r\nCookie: s=1\r\n', 101],
    ['is not listed', ['https://app.test'], 'Origin: http://app.test\r\n', 403],
    ['is below a listed one', ['https://*.app.test'], 'Origin: https://a.app.test\r\n', 101],
    ['only ends like a listed one', ['https://*.app.test'], 'Origin: https://evil/.app.test\r\n', 403],
    ['is anything where * is listed', ['*'], 'Origin: http://evil.test\r\nCookie: s=1\r\n', 101],
  ];
  for (const [title, origins, fields, status] of cases) {
    it(`${status === 101 ? 'may connect' : 'is refused'} when it ${title}`, async (test) => {
      const up = await upstream(test, new Seen().talk);
      const gateway = await new TestGateway({ forward: up.forward, options: { origins } }).listen(test);
      const raw = new Raw(gateway.port);
      raw.socket.write(handshake('/ws', fields));
      const text = await raw.until((all) => all.includes('\r\n\r\n'));
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.equal(up.wss.clients.size, status === 101 ? 1 : 0);
      raw.socket.destroy();
    });
  }
});
