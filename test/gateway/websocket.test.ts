import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, it } from 'node:test';
import type WebSocket from 'ws';
import type { RawData } from 'ws';
import { dialling, handshake, listen, masked, Raw, TestGateway, upstream } from './websocketGateway.js';
import { closing, rawUpstream } from './websocketPeers.js';

const echo = (socket: WebSocket): void => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  socket.on('error', () => undefined);
};

async function message(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, 'message')) as [RawData];
  return (data as Buffer).toString();
}

describe('a WebSocket through the gateway', { timeout: 60_000 }, () => {
  it('works as the very first request, with subprotocol, path and query', async (test) => {
    const up = await upstream(test, (socket, request) => socket.send(`${request.url} ${socket.protocol}`), {
      handleProtocols: (offered) => [...offered].at(-1) as string,
    });
    const gateway = await new TestGateway({ forward: up.forward }).listen(test);
    const client = gateway.client('/ws/a?b=1', ['chat', 'superchat']);
    const headers = once(client, 'upgrade');
    assert.equal(await message(client), '/ws/a?b=1 superchat');
    assert.equal(client.protocol, 'superchat');
    const [response] = (await headers) as [{ headers: Record<string, string> }];
    assert.equal(response.headers['x-correlation-id'], 'c-1');
    assert.deepEqual(gateway.answered, [101]);
    assert.equal(gateway.tunnels.size, 1);
    assert.equal(gateway.tunnels.count('/ws'), 1);
    assert.equal(gateway.tunnels.snapshot()[0]?.path, '/ws/a');
    client.close();
    await gateway.until(() => gateway.ends.length === 1);
    assert.equal(gateway.tunnels.count('/ws'), 0);
  });

  it('leaves permessage-deflate as it was agreed upon', async (test) => {
    const up = await upstream(test, echo, { perMessageDeflate: { threshold: 0 } });
    const gateway = await new TestGateway({ forward: up.forward, options: { max_message_bytes: 10_000 } }).listen(test);
    const client = await gateway.connect('/ws', [], { perMessageDeflate: { threshold: 0 } });
    assert.match(client.extensions, /permessage-deflate/);
    const long = 'premier '.repeat(20_000);
    client.send(long);
    assert.equal(await message(client), long);
    client.close();
    await gateway.until(() => gateway.ends.length === 1);
    assert.ok((gateway.ends[0]?.bytesUp ?? Infinity) < 10_000, 'it crossed the gateway compressed');
  });

  it('passes close codes and reasons from the client', async (test) => {
    let seen: Promise<[number, string]> | undefined;
    const up = await upstream(test, (socket) => (seen = closing(socket)));
    const gateway = await new TestGateway({ forward: up.forward }).listen(test);
    const client = await gateway.connect();
    client.close(4001, 'enough');
    assert.deepEqual(await closing(client), [4001, 'enough']);
    assert.deepEqual(await seen, [4001, 'enough']);
    await gateway.until(() => gateway.ends.length === 1);
    assert.equal(gateway.ends[0]?.code, 4001);
    assert.equal(gateway.ends[0]?.by, 'client');
    await gateway.until(() => gateway.sockets.size === 0);
  });

  it('passes close codes and reasons from the upstream', async (test) => {
    const up = await upstream(test, (socket) => socket.close(4002, 'go'));
    const gateway = await new TestGateway({ forward: up.forward }).listen(test);
    assert.deepEqual(await closing(gateway.client()), [4002, 'go']);
    await gateway.until(() => gateway.ends.length === 1);
    assert.equal(gateway.ends[0]?.code, 4002);
    assert.equal(gateway.ends[0]?.by, 'upstream');
    assert.equal(up.sockets.size, 0);
  });

  it('sends on the bytes that came together with either head', async (test) => {
    const port = await rawUpstream(test, (socket) => socket.on('data', (chunk) => socket.write(chunk)), '\x81\x02hi');
    const gateway = await new TestGateway({ forward: dialling(port) }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(Buffer.concat([Buffer.from(handshake()), masked(1, Buffer.from('early'))]));
    const text = await raw.until((all) => all.endsWith(masked(1, Buffer.from('early')).toString('latin1')));
    assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
    assert.ok(text.includes('\r\n\r\n\x81\x02hi'));
  });

  it('carries many and large messages in order, and holds the sender back when the receiver does not read', async (test) => {
    let sent = 0;
    const up = await upstream(test, (socket) => {
      const pour = (): void => {
        for (; sent < 400 && socket.bufferedAmount < 1_000_000; sent++) socket.send(Buffer.alloc(100_000, sent % 251));
        if (sent < 400) setImmediate(pour);
      };
      pour();
    });
    const gateway = await new TestGateway({ forward: up.forward }).listen(test);
    const client = await gateway.connect('/ws', [], { perMessageDeflate: false });
    client.pause();
    // The upstream fills every buffer in between, and no more: the gateway holds what two sockets may.
    let before = -1;
    for (let still = 0; still < 2000;) {
      await new Promise((resolve) => setImmediate(resolve));
      const down = gateway.tunnels.snapshot()[0]?.bytesDown ?? 0;
      still = down > 0 && down === before ? still + 1 : 0;
      before = down;
    }
    assert.ok(sent < 400, 'the upstream was held back');
    assert.ok(([...gateway.sockets][0]?.writableLength ?? Infinity) < 1_000_000);
    const got: number[] = [];
    const complete = new Promise<void>((resolve) => {
      client.on('message', (data: Buffer) => void (got.push(data[0] as number) === 400 && resolve()));
    });
    client.resume();
    await complete;
    assert.deepEqual(
      got,
      got.map((_, i) => i % 251),
    );
    client.close();
    await gateway.until(() => gateway.ends.length === 1);
    assert.ok((gateway.ends[0]?.bytesDown ?? 0) > 40_000_000);
  });

  it('relays the upstream’s refusal with its headers and body, and closes', async (test) => {
    const server = createServer((_request, response) => {
      response.writeHead(403, { 'X-Why': 'no ticket' });
      response.write('not ');
      response.end('today');
    });
    const gateway = await new TestGateway({ forward: dialling(await listen(server, test)) }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    const text = await raw.all();
    assert.match(text, /^HTTP\/1\.1 403 Forbidden\r\n/);
    assert.match(text, /\r\nConnection: close\r\n/);
    assert.match(text, /\r\nX-Why: no ticket\r\n/);
    assert.match(text, /\r\nX-Correlation-ID: c-1\r\n/);
    assert.match(text, /\r\nTransfer-Encoding: chunked\r\n/);
    assert.ok(text.endsWith('\r\n\r\n4\r\nnot \r\n5\r\ntoday\r\n0\r\n\r\n') || text.endsWith('\r\n\r\n9\r\nnot today\r\n0\r\n\r\n'), text);
    assert.deepEqual(gateway.answered, [403]);
    await gateway.until(() => gateway.sockets.size === 0);
  });

  it('breaks a refusal off whose body has no end', async (test) => {
    const server = createServer((_request, response) => {
      response.writeHead(500);
      const pour = (): void => {
        while (response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', pour);
      pour();
    });
    const gateway = await new TestGateway({ forward: dialling(await listen(server, test)) }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    const text = await raw.all();
    assert.ok(text.length < 1_200_000);
    assert.ok(!text.endsWith('0\r\n\r\n'), 'no clean end is faked');
  });

  it('answers 502 when nobody is there, and 101 without a tunnel', async (test) => {
    const gateway = await new TestGateway({ forward: dialling(1) }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    assert.match(await raw.all(), /^HTTP\/1\.1 502 Bad Gateway\r\n[^]*"type":"bad_gateway"[^]*"correlation_id":"c-1"/);
    const odd = await new TestGateway({ forward: () => Promise.resolve({ status: 101, headers: [], body: undefined }) }).listen(test);
    const other = new Raw(odd.port);
    other.socket.write(handshake());
    assert.match(await other.all(), /^HTTP\/1\.1 502 /);
  });
});
