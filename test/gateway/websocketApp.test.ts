import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { forwardToUpgrade } from '../../src/gateway/websocket/appTunnel.js';
import { takeOver } from '../../src/gateway/websocket/appUpgrade.js';
import { handshake, Raw, TestGateway } from './websocketGateway.js';

const echo = (socket: WebSocket): void => void socket.on('message', (data, binary) => socket.send(data, { binary }));

describe('in front of an app', { timeout: 60_000 }, () => {
  it('passes WebSockets to a server that listened before, and to one that came later', async (test) => {
    const server = createServer();
    const before = new WebSocketServer({ server, path: '/before' }).on('connection', echo);
    before.on('wsClientError', () => undefined);
    const gateway = await new TestGateway({ forward: forwardToUpgrade, server }).listen(test);
    const client = await gateway.connect('/before', ['chat']);
    assert.equal(client.protocol, 'chat');
    client.send('hi');
    assert.equal(String((await once(client, 'message'))[0]), 'hi');
    assert.equal(gateway.tunnels.size, 1);
    client.close(4003, 'bye');
    assert.equal((await once(client, 'close'))[0], 4003);
    await gateway.until(() => gateway.ends.length === 1);
    assert.equal(gateway.ends[0]?.code, 4003);
    before.close();
    assert.equal(server.listenerCount('upgrade'), 1, 'the gateway goes on listening');

    const later = new WebSocketServer({ server, path: '/later' }).on('connection', echo);
    const second = await gateway.connect('/later');
    second.send('again');
    assert.equal(String((await once(second, 'message'))[0]), 'again');
    second.terminate();
    later.close();
    await gateway.until(() => gateway.sockets.size === 0);
  });

  it('holds the app’s WebSockets to the limits, and drains them', async (test) => {
    const server = createServer();
    const codes: number[] = [];
    new WebSocketServer({ server }).on('connection', (socket) => {
      echo(socket);
      socket.on('close', (code) => codes.push(code));
    });
    const gateway = await new TestGateway({ forward: forwardToUpgrade, server, options: { max_message_bytes: 10 } }).listen(test);
    const first = await gateway.connect();
    first.send('longer than that');
    assert.equal((await once(first, 'close'))[0], 1009);
    const second = await gateway.connect();
    const closed = once(second, 'close');
    await gateway.upgrades.close(60_000);
    assert.equal((await closed)[0], 1001);
    assert.deepEqual(codes, [1001, 1001]);
  });

  it('relays what the app refuses by hand, even when it hangs up at once', async (test) => {
    const server = createServer();
    server.on('upgrade', (_request, socket: Duplex) => {
      socket.write('HTTP/1.1 401 Unauthorized\r\nX-Own: yes\r\n\r\n');
      socket.destroy();
    });
    const gateway = await new TestGateway({ forward: forwardToUpgrade, server }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    assert.match(await raw.all(), /^HTTP\/1\.1 401 Unauthorized\r\n[^]*\r\nX-Own: yes\r\n/);
    assert.deepEqual(gateway.answered, [401]);
  });

  it('answers 502 when the app hangs up without a word, 501 when nobody listens, and rejects with what the app throws', async (test) => {
    const server = createServer();
    const hangUp = (_request: unknown, socket: Duplex): void => void socket.destroy();
    server.on('upgrade', hangUp);
    const gateway = await new TestGateway({ forward: forwardToUpgrade, server }).listen(test);
    const ask = async (): Promise<string> => {
      const raw = new Raw(gateway.port);
      raw.socket.write(handshake());
      return (await raw.all()).slice(9, 12);
    };
    assert.equal(await ask(), '502');
    server.off('upgrade', hangUp);
    assert.equal(await ask(), '501');
    server.once('upgrade', () => {
      throw new Error('the app’s own');
    });
    assert.equal(await ask(), '500');
    assert.equal(await ask(), '501', 'once is once');
    await gateway.until(() => gateway.sockets.size === 0);
  });

  it('tells the app when the client leaves in the middle of the handshake', async (test) => {
    const server = createServer();
    const asked = once(server, 'upgrade');
    const gateway = await new TestGateway({ forward: forwardToUpgrade, server }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    const [request, socket] = (await asked) as [{ url: string }, Duplex & { remoteAddress: string }];
    assert.equal(request.url, '/ws');
    assert.equal(socket.remoteAddress, '127.0.0.1');
    raw.socket.destroy();
    socket.resume();
    await once(socket, 'end');
    await gateway.until(() => gateway.answered.length === 1);
    assert.deepEqual(gateway.answered, [499]);
  });

  it('carries a large message through the app with backpressure', async (test) => {
    const server = createServer();
    new WebSocketServer({ server, maxPayload: 64 << 20 }).on('connection', echo);
    const gateway = await new TestGateway({ forward: forwardToUpgrade, server }).listen(test);
    const client = await gateway.connect('/ws', [], { maxPayload: 64 << 20, perMessageDeflate: false });
    const large = Buffer.alloc(8 << 20, 'premier');
    client.send(large);
    const [echoed] = (await once(client, 'message')) as [Buffer];
    assert.ok(echoed.equals(large));
    client.terminate();
    await gateway.until(() => gateway.sockets.size === 0);
  });

  it('gives the server back as it was', () => {
    const server = createServer();
    const first = (): void => undefined;
    const second = (): void => undefined;
    server.on('upgrade', first);
    const app = takeOver(server);
    app.listen(() => undefined);
    server.on('upgrade', second).on('close', first);
    assert.equal(server.listenerCount('upgrade'), 1);
    app.release();
    assert.deepEqual(server.listeners('upgrade'), [first, second]);
    assert.ok(server.listeners('close').includes(first));
    assert.ok(!Object.hasOwn(server, 'on'));
  });
});
