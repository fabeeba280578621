import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import type WebSocket from 'ws';
import type { Problem } from '../../src/http/problem.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { dialling, handshake, Raw, TestGateway, upstream } from './websocketGateway.js';
import { closing, rawUpstream } from './websocketPeers.js';

const echo = (socket: WebSocket): void => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  socket.on('error', () => undefined);
};

describe('a WebSocket whose side goes away', { timeout: 60_000 }, () => {
  it('gives the handshake up when the client leaves, whether it resets or closes', async (test) => {
    for (const leave of ['resetAndDestroy', 'end'] as const) {
      let reason: unknown;
      let dialled = (): void => undefined;
      const asked = new Promise<void>((resolve) => (dialled = resolve));
      const gateway = await new TestGateway({
        forward: (_exchange, call) => {
          dialled();
          return new Promise((_resolve, reject) =>
            call.onAbort((why) => {
              reason = why;
              reject(why);
            }),
          );
        },
      }).listen(test);
      const raw = new Raw(gateway.port);
      raw.socket.write(handshake());
      await asked;
      raw.socket[leave]();
      await gateway.until(() => gateway.answered.length === 1);
      assert.deepEqual(gateway.answered, [499]);
      assert.equal((reason as Problem).type, 'client_closed_request');
      await gateway.until(() => gateway.sockets.size === 0);
    }
  });

  it('closes the upstream’s connection when the client left while it was opened', async (test) => {
    const up = await upstream(test, echo);
    const dial = up.forward;
    const gateway = await new TestGateway({
      forward: async (exchange, call) => {
        const answer = await dial(exchange, call);
        exchange.origin.socket?.destroy();
        return answer;
      },
    }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    await raw.all();
    await gateway.until(() => gateway.answered.length === 1);
    assert.deepEqual(gateway.answered, [499]);
    assert.equal(gateway.tunnels.size, 0);
    for (const socket of up.sockets) await once(socket, 'close');
  });

  it('survives a reset of either side and leaks no connection', async (test) => {
    const opened: Socket[] = [];
    const up = await upstream(test, (socket, request) => {
      echo(socket);
      opened.push(request.socket);
    });
    const gateway = await new TestGateway({ forward: up.forward }).listen(test);
    const first = await gateway.connect();
    first.on('error', () => undefined);
    const ended = closing(first);
    opened[0]?.resetAndDestroy();
    assert.equal((await ended)[0], 1006);
    const second = new Raw(gateway.port);
    second.socket.write(handshake());
    await second.until((text) => text.includes('\r\n\r\n'));
    second.socket.resetAndDestroy();
    await gateway.until(() => gateway.ends.length === 2);
    assert.deepEqual(
      gateway.ends.map(({ by }) => by),
      ['error', 'error'],
    );
    await gateway.until(() => gateway.sockets.size === 0);
    for (const socket of up.sockets) await once(socket, 'close');
    assert.equal(gateway.tunnels.size, 0);
  });

  it('flushes to the slow side what the other sent before it ended', async (test) => {
    const size = 5_000_000;
    const port = await rawUpstream(test, (socket) => socket.end(Buffer.alloc(size, 1)));
    const gateway = await new TestGateway({ forward: dialling(port) }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    const text = await raw.all();
    assert.equal(text.length - text.indexOf('\r\n\r\n') - 4, size);
    await gateway.until(() => gateway.ends.length === 1);
    assert.equal(gateway.ends[0]?.by, 'upstream');
    await gateway.until(() => gateway.sockets.size === 0);
  });

  it('ends a tunnel whose other side does not follow', async (test) => {
    const clock = new FakeClock();
    const port = await rawUpstream(test, () => undefined);
    const gateway = await new TestGateway({ forward: dialling(port), clock }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    await raw.until((text) => text.includes('\r\n\r\n'));
    const tunnel = [...gateway.sockets][0] as Socket;
    raw.socket.end();
    await once(tunnel, 'end');
    assert.equal(gateway.ends.length, 0);
    await clock.advance('2s');
    await gateway.until(() => gateway.ends.length === 1);
    assert.equal(gateway.ends[0]?.by, 'client');
    assert.equal(clock.timers, 0);
  });
});
