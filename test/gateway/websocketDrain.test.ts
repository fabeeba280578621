import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type WebSocket from 'ws';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { dialling, handshake, Raw, TestGateway, upstream } from './websocketGateway.js';
import { closing, frames, Seen } from './websocketPeers.js';

/** An upstream of bare bytes, whose connection the test drives. */
async function driven(test: TestContext): Promise<{ port: number; socket: Promise<Socket> }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = (async (): Promise<Socket> => {
    const [opened] = (await once(server, 'connection')) as [Socket];
    opened.on('error', () => undefined);
    await once(opened, 'data');
    opened.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    test.after(() => opened.destroy());
    return opened;
  })();
  test.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, socket };
}

describe('draining WebSockets', { timeout: 60_000 }, () => {
  it('says 1001 to both sides, waits for their answers, and refuses newcomers', async (test) => {
    const seen = new Seen();
    const up = await upstream(test, seen.talk);
    const gateway = await new TestGateway({ forward: up.forward }).listen(test);
    const clients = [gateway.client(), gateway.client()];
    await Promise.all(clients.map((client) => once(client, 'message')));
    const closed = clients.map(closing);
    await gateway.upgrades.close(60_000);
    assert.deepEqual(await Promise.all(closed), [
      [1001, 'going away'],
      [1001, 'going away'],
    ]);
    assert.deepEqual(seen.codes, [1001, 1001]);
    assert.deepEqual(
      gateway.ends.map(({ by, code }) => [by, code]),
      [
        ['drain', 1001],
        ['drain', 1001],
      ],
    );
    const late = new Raw(gateway.port);
    late.socket.write(handshake());
    assert.match(await late.all(), /^HTTP\/1\.1 503 /);
  });

  it('puts its close frame behind the frame under way, and ends at the grace what does not answer', async (test) => {
    const clock = new FakeClock();
    const up = await driven(test);
    const gateway = await new TestGateway({ forward: dialling(up.port), clock }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    const socket = await up.socket;
    socket.write(Buffer.concat([Buffer.of(0x81, 4), Buffer.from('ha')]));
    await raw.until((text) => text.endsWith('ha'));
    const drained = gateway.tunnels.closeAll(1001, 10_000);
    // The direction from the client is between frames: the upstream is told at once, masked.
    const [told] = (await once(socket, 'data')) as [Buffer];
    assert.deepEqual([told[0], told[1]], [0x88, 0x82]);
    const code = Buffer.of((told[6] as number) ^ (told[2] as number), (told[7] as number) ^ (told[3] as number));
    assert.equal(code.readUInt16BE(0), 1001);
    assert.ok(raw.text.endsWith('ha'));
    socket.write(Buffer.concat([Buffer.from('lf'), Buffer.of(0x81, 5), Buffer.from('never')]));
    await raw.until((text) => text.includes('going away'));
    assert.deepEqual(frames(raw.received), ['half', 'close 1001']);
    await clock.advance('9s');
    assert.equal(gateway.tunnels.size, 1);
    await clock.advance('1s');
    await drained;
    assert.equal(gateway.ends[0]?.by, 'drain');
    assert.equal(clock.timers, 0);
    await gateway.until(() => gateway.sockets.size === 0);
  });

  it('closes a WebSocket whose handshake was under way', async (test) => {
    const up = await upstream(test, new Seen().talk);
    let allow = (): void => undefined;
    const allowed = new Promise<void>((resolve) => (allow = resolve));
    let came = (): void => undefined;
    const asked = new Promise<void>((resolve) => (came = resolve));
    const gateway = await new TestGateway({
      forward: async (exchange, call) => {
        came();
        await allowed;
        return up.forward(exchange, call);
      },
    }).listen(test);
    const closed = closing(gateway.client());
    await asked;
    await gateway.upgrades.close(60_000);
    allow();
    assert.equal((await closed)[0], 1001);
    await gateway.until(() => gateway.sockets.size === 0);
  });

  it('does not wait for a frame that never ends', async (test) => {
    const clock = new FakeClock();
    const up = await driven(test);
    const gateway = await new TestGateway({ forward: dialling(up.port), clock }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    (await up.socket).write(Buffer.of(0x81, 100, 1));
    await raw.until((text) => text.endsWith('\x81\x64\x01'));
    const drained = gateway.tunnels.closeAll(1001, 1000);
    await clock.advance('1s');
    await drained;
    assert.ok((await raw.all()).endsWith('\x81\x64\x01'), 'nothing stands within the frame');
  });

  it('closes one WebSocket by its number', async (test) => {
    const up = await upstream(test, new Seen().talk);
    const gateway = await new TestGateway({ forward: up.forward }).listen(test);
    const clients = [await gateway.connect(), await gateway.connect()];
    const closed = closing(clients[0] as WebSocket);
    assert.equal(gateway.tunnels.close(gateway.tunnels.snapshot()[0]?.id as number, 4000, 'by hand'), true);
    assert.deepEqual(await closed, [4000, 'by hand']);
    await gateway.until(() => gateway.ends.length === 1);
    assert.equal(gateway.tunnels.size, 1);
    assert.equal(gateway.tunnels.close(99), false);
    clients[1]?.terminate();
  });
});
