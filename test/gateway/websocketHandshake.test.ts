import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import type { Forward } from '../../src/gateway/feature.js';
import { closeFrame, Frames } from '../../src/gateway/websocket/frames.js';
import { handshake, masked, Raw, TestGateway } from './websocketGateway.js';

/** Nothing may come this far. */
class Untouched {
  calls = 0;
  readonly forward: Forward = () => {
    this.calls++;
    return Promise.resolve({ status: 200, headers: [], body: Buffer.from('through') });
  };
}

const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

describe('the handshake', { timeout: 60_000 }, () => {
  const cases: readonly (readonly [title: string, request: string, status: RegExp])[] = [
    ['POST', handshake('/ws', '', 'POST'), /^HTTP\/1\.1 400 /],
    ['a body', handshake('/ws', 'Content-Length: 3\r\n'), /^HTTP\/1\.1 400 /],
    ['a chunked body', handshake('/ws', 'Transfer-Encoding: chunked\r\n'), /^HTTP\/1\.1 400 /],
    ['HTTP/1.0', handshake().replace('HTTP/1.1', 'HTTP/1.0'), /^HTTP\/1\.1 400 /],
    ['no key', handshake().replace(key, ''), /^HTTP\/1\.1 400 /],
    ['two keys', handshake('/ws', key), /^HTTP\/1\.1 400 /],
    ['a short key', handshake().replace('dGhlIHNhbXBsZSBub25jZQ==', 'c2hvcnQ='), /^HTTP\/1\.1 400 /],
    ['another protocol beside it', handshake().replace('Upgrade: websocket', 'Upgrade: websocket, h2c'), /^HTTP\/1\.1 400 /],
    ['no version', handshake().replace('Sec-WebSocket-Version: 13\r\n', ''), /^HTTP\/1\.1 426 [^]*\r\nsec-websocket-version: 13\r\n/],
    ['an old version', handshake().replace('Version: 13', 'Version: 8'), /^HTTP\/1\.1 426 [^]*\r\nupgrade: websocket\r\n/],
    ['what the doorway refuses', handshake('/bad'), /^HTTP\/1\.1 400 [^]*"correlation_id":"[0-9a-f]{32}"/],
  ];
  for (const [title, request, status] of cases) {
    it(`is refused with ${title}, and the connection is closed`, async (test) => {
      const untouched = new Untouched();
      const gateway = await new TestGateway({ forward: untouched.forward, options: {} }).listen(test);
      const raw = new Raw(gateway.port);
      raw.socket.write(request);
      assert.match(await raw.all(), status);
      assert.match(raw.text, /\r\nConnection: close\r\n/);
      assert.equal(untouched.calls, 0);
      await gateway.until(() => gateway.sockets.size === 0);
    });
  }

  it('writes a complete refusal with its length', async (test) => {
    const gateway = await new TestGateway({ forward: new Untouched().forward }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    assert.match(
      await raw.all(),
      /^HTTP\/1\.1 200 OK\r\nConnection: close\r\nDate: [^\r]+ GMT\r\nContent-Length: 7\r\n[^]*\r\n\r\nthrough$/,
    );
  });

  it('leaves a field out that would break out of its line', async (test) => {
    const gateway = await new TestGateway({
      forward: () => Promise.resolve({ status: 403, headers: ['X-Bad', 'a\r\nSet-Cookie: b=1', 'X-Good', 'é'], body: undefined }),
    }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(handshake());
    const text = await raw.all();
    assert.ok(!text.includes('Set-Cookie'));
    assert.ok(text.includes('\r\nX-Good: \xe9\r\n'));
  });

  it('is not taken behind a request that is not answered yet', async (test) => {
    const untouched = new Untouched();
    const gateway = await new TestGateway({ forward: untouched.forward, listener: () => undefined }).listen(test);
    const raw = new Raw(gateway.port);
    raw.socket.write(`GET /slow HTTP/1.1\r\nHost: a\r\n\r\n${handshake()}`);
    assert.equal(await raw.all(), '');
    assert.equal(untouched.calls, 0);
  });
});

describe('an upgrade to something other', { timeout: 60_000 }, () => {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { connection, upgrade } = request.headers;
      response.end(
        JSON.stringify([request.method, request.url, connection ?? '', upgrade ?? '', request.headers['http2-settings'] ?? '', body]),
      );
    });
  };

  it('is an ordinary request, with its body, on a connection that stays open', async (test) => {
    const untouched = new Untouched();
    const gateway = await new TestGateway({ forward: untouched.forward, listener }).listen(test);
    const raw = new Raw(gateway.port);
    const head = 'Host: a\r\nConnection: Upgrade, HTTP2-Settings, close-not\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n';
    raw.socket.write(`POST /a HTTP/1.1\r\n${head}Content-Length: 10\r\n\r\nhello`);
    await new Promise((resolve) => setImmediate(resolve));
    raw.socket.write('world');
    await raw.until((text) => text.includes('["POST","/a","close-not","","","helloworld"]'));
    raw.socket.write(`POST /b HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`);
    await raw.until((text) => text.includes('["POST","/b","close-not","","","abc"]'));
    raw.socket.write('GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    assert.match(await raw.all(), /\["GET","\/c","close","","",""\]$/);
    assert.equal(untouched.calls, 0);
    await gateway.until(() => gateway.sockets.size === 0);
  });

  it('smuggles nothing past the ordinary listener: what follows its body is a request like any other', async (test) => {
    const gateway = await new TestGateway({ forward: new Untouched().forward, listener }).listen(test);
    const raw = new Raw(gateway.port);
    const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    raw.socket.write(`POST /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi${hidden}`);
    const text = await raw.all();
    // Node 26 loses what comes in the same breath.
    const behind = Number.parseInt(process.versions.node, 10) < 26 ? ['"/hidden"'] : [];
    assert.deepEqual(text.match(/"\/\w+"/g), ['"/a"', ...behind]);
  });

  it('is answered with 501 where the server is not known', async (test) => {
    const gateway = await new TestGateway({ forward: new Untouched().forward, server: createServer() }).listen(test);
    gateway.server.removeAllListeners('upgrade');
    gateway.app.release();
    gateway.server.on('upgrade', (request, socket, head) => gateway.upgrades.handle(request, socket, head));
    const raw = new Raw(gateway.port);
    raw.socket.write('HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
    assert.match(await raw.all(), /^HTTP\/1\.1 501 [^]*\r\nContent-Length: [1-9]\d*\r\n[^]*\r\n\r\n$/);
  });
});

describe('frames', () => {
  it('are followed however they are cut, with their close code', () => {
    const stream = Buffer.concat([
      masked(1, Buffer.alloc(0)),
      masked(2, Buffer.alloc(300, 7)),
      Buffer.concat([Buffer.of(0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0), Buffer.alloc(65_536)]),
      closeFrame(4321, 'why', true),
    ]);
    for (const size of [1, 2, 3, 7, 1000, stream.length]) {
      const follower = new Frames();
      for (let at = 0; at < stream.length; at += size) {
        assert.equal(follower.closed, at > stream.length - 11 && follower.closed);
        follower.follow(stream.subarray(at, at + size));
      }
      assert.equal(follower.closed, true);
      assert.equal(follower.code, 4321);
      assert.equal(follower.between, true);
    }
  });

  it('stop at the end of the first one when asked, and know when they are within one', () => {
    const follower = new Frames();
    const two = Buffer.of(0x81, 2, 1, 2, 0x81, 1, 3);
    assert.equal(follower.follow(two.subarray(0, 3)), 3);
    assert.equal(follower.between, false);
    assert.equal(follower.follow(two.subarray(3), true), 1);
    assert.equal(follower.between, true);
    assert.equal(follower.follow(two.subarray(4, 5)), 0);
    assert.equal(follower.between, false, 'half a header is within a frame');
  });

  it('have no code in an empty close frame, and a reason that is cut to what fits', () => {
    const follower = new Frames();
    follower.follow(Buffer.of(0x88, 0));
    assert.deepEqual([follower.closed, follower.code], [true, undefined]);
    assert.equal(closeFrame(1000, 'x'.repeat(500), false).length, 127);
  });
});
