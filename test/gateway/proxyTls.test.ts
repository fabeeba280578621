import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { headerOf } from '../../src/http/headers.js';
import { failureKind } from '../../src/proxy/failureKind.js';
import { callOf, exchangeOf, poolOf, proxyTo, rejection, turns } from './proxyTools.js';

/** Of a test's own server, for `backend.test` and `localhost`, valid until 2120; nobody trusts it. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMInUA+223YV3UWuP
3+/J8yp8Ytq1mLY6L5g5dm8xoHOhRANCAAQFSsPVnbZn80xSQQMxc5zPdpVEOovL
hyliV7+zmELxxHq5iRfUyUOgiNEAn54PlkWFA1NQgvV6D0prHNHGRCng
-----END PRIVATE KEY-----`;

const cert = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxiYWNrZW5k
LnRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBcxFTATBgNV
BAMMDGJhY2tlbmQudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAVKw9Wd
tmfzTFJBAzFznM92lUQ6i8uHKWJXv7OYQvHEermJF9TJQ6CI0QCfng+WRYUDU1CC
9XoPSmsc0cZEKeCjVjBUMA8GA1UdEwEB/wQFMAMBAf8wIgYDVR0RBBswGYIMYmFj
a2VuZC50ZXN0gglsb2NhbGhvc3QwHQYDVR0OBBYEFONZ8omnL9B4EfeCSYk0vgo3
JdR3MAoGCCqGSM49BAMCA0gAMEUCIHPhoa42y6g6DNnnDD2Y4PwG/a/vGUpmgIpY
kI3ozVUbAiEA7u1WAul/sfiVQdfSAKDiToUm3PiRexFZPoA5sXsZs8E=
-----END CERTIFICATE-----`;

async function secureServer(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'premier-tls-'));
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, cert);
  const server = createServer({ key, cert }, (request, response) => {
    response.setHeader('x-name', String((request.socket as TLSSocket & { servername?: string | false }).servername));
    response.end(request.headers.host);
  });
  server.on('upgrade', (_request, socket) =>
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  );
  let connections = 0;
  server.on('secureConnection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  });
  const { port } = server.address() as AddressInfo;
  return { url: `https://localhost:${port}`, byAddress: `https://127.0.0.1:${port}`, ca, connections: () => connections };
}

describe('a server behind TLS', () => {
  test('is not asked when its certificate is not trusted', async (t) => {
    const { url } = await secureServer(t);
    assert.equal(failureKind(await rejection(proxyTo(t, poolOf([url])).ask())), 'connect_error');
    assert.equal(
      failureKind(await rejection(proxyTo(t, poolOf([url])).forward(exchangeOf({ upgrade: 'websocket' }), callOf()))),
      'connect_error',
    );
  });

  test('is checked against its own name, whatever Host the client sent, on one connection', async (t) => {
    const { url, ca, connections } = await secureServer(t);
    const { ask } = proxyTo(t, poolOf([url], { tls: { insecure: false, ca } }));
    for (const host of ['one.test', 'two.test', 'three.test']) {
      const { text, headers } = await ask({ host });
      assert.deepEqual([text, headerOf(headers, 'x-name')], [host, 'localhost']);
      await turns();
    }
    assert.equal(connections(), 1);
  });

  test('at a bare address needs the name that is on its certificate', async (t) => {
    const { byAddress, ca } = await secureServer(t);
    assert.equal(failureKind(await rejection(proxyTo(t, poolOf([byAddress], { tls: { insecure: false, ca } })).ask())), 'connect_error');
    const named = proxyTo(t, poolOf([byAddress], { tls: { insecure: false, ca, server_name: 'backend.test' } }));
    assert.equal(headerOf((await named.ask()).headers, 'x-name'), 'backend.test');
    const other = proxyTo(t, poolOf([byAddress], { tls: { insecure: false, ca, server_name: 'evil.test' } }));
    assert.equal(failureKind(await rejection(other.ask())), 'connect_error');
  });

  test('is asked unchecked only where the configuration says so', async (t) => {
    const { byAddress } = await secureServer(t);
    assert.equal((await proxyTo(t, poolOf([byAddress], { tls: { insecure: true } })).ask()).text, 'api.test');
  });

  test('is dialled with the same trust', async (t) => {
    const { url, ca } = await secureServer(t);
    const { forward } = proxyTo(t, poolOf([url], { tls: { insecure: false, ca } }));
    const { status, tunnel } = await forward(exchangeOf({ upgrade: 'websocket' }), callOf());
    tunnel?.socket.destroy();
    assert.equal(status, 101);
  });

  test('whose file of certificates is missing is an error that tells where', (t) => {
    assert.throws(() => proxyTo(t, poolOf(['https://localhost:1'], { tls: { insecure: false, ca: '/no/such/file.pem' } })), {
      name: 'OptionsError',
      message: /^upstreams\.pool\.tls\.ca: cannot read "\/no\/such\/file\.pem" \(ENOENT\)/,
    });
  });
});
