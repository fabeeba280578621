import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import type { GatewayOptions } from '../../src/gateway/config/gatewayOptions.js';
import { openGateway } from '../support/gateways.js';

const silent = { log: { level: 'silent' } } as const;

/** An upstream that says everything back, with its name. */
async function echoing(t: TestContext, name: string): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(`${name} ${String(data)}`)));
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function open(t: TestContext, url: string): Promise<WebSocket> {
  const socket = new WebSocket(url.replace('http', 'ws'));
  socket.on('error', () => undefined);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

async function said(socket: WebSocket, text: string): Promise<string> {
  const answer = once(socket, 'message');
  socket.send(text);
  return String((await answer)[0]);
}

describe('WebSockets stay open', { timeout: 60_000 }, () => {
  test('when a reload leaves their path as it is, changes it, its pool, or takes it away', async (t) => {
    const [one, two] = [await echoing(t, 'one'), await echoing(t, 'two')];
    const config = (server: string, paths: readonly object[]): GatewayOptions =>
      ({ ...silent, upstreams: { own: { servers: [server] }, same: { servers: [one] } }, paths }) as GatewayOptions;
    const same = { pattern: '/same', upstream: 'same' };
    const { gateway, url } = await openGateway(
      t,
      config(one, [same, { pattern: '/changed', upstream: 'own' }, { pattern: '/gone', upstream: 'own' }]),
    );
    const sockets = await Promise.all(['/same', '/changed', '/gone'].map((path) => open(t, url + path)));
    const all = (text: string): Promise<string[]> => Promise.all(sockets.map((socket) => said(socket, text)));
    assert.deepEqual(await all('a'), ['one a', 'one a', 'one a']);
    await gateway.reload(config(two, [same, { pattern: '/changed', upstream: 'own', features: { timeout: 1, websocket: {} } }]));
    assert.deepEqual(await all('b'), ['one b', 'one b', 'one b']);
    const later = await open(t, `${url}/changed`);
    assert.equal(await said(later, 'c'), 'two c');
    assert.match(await gateway.metrics.text(), /websocket_connections\{endpoint="\/gone"\} 1/);
  });

  test('and still count towards the limit of their path, also where that has changed', async (t) => {
    const one = await echoing(t, 'one');
    const config = (most: number): GatewayOptions => ({
      ...silent,
      servers: [one],
      paths: [{ pattern: '/ws', features: { websocket: { max_connections: most } } }],
    });
    const { gateway, url } = await openGateway(t, config(2));
    const first = await open(t, `${url}/ws`);
    await open(t, `${url}/ws`);
    const refused = async (): Promise<unknown> => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
      const [error] = (await once(socket, 'error')) as [Error];
      return /503/.exec(error.message)?.[0];
    };
    assert.equal(await refused(), '503');
    await gateway.reload(config(2));
    assert.equal(await refused(), '503');
    await gateway.reload(config(3));
    await open(t, `${url}/ws`);
    assert.equal(await refused(), '503');
    first.close();
    await once(first, 'close');
    assert.equal(await said(await open(t, `${url}/ws`), 'again'), 'one again');
  });
});
