import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { App } from '../../src/gateway/app.js';
import { openGateway, startRaw, until } from '../support/gateways.js';
import { head, wire } from './checklistTools.js';

type Line = Readonly<Record<string, unknown>>;

const seen = { default_features: { headers: { response: { set: { 'X-Seen': 'yes' } } } } };
const short: App = (_request, response) => void response.writeHead(200, { 'content-length': 10 }).end('half');

describe('an answer that breaks off after its head', () => {
  const cases = {
    'of an upstream that dies': async (t: Parameters<typeof startRaw>[0]) => {
      const upstream = await startRaw(t, (socket) => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
          setImmediate(() => socket.destroy());
        });
      });
      return { servers: [upstream.url], app: undefined, error: /other side closed|terminated|socket|ECONNRESET/i };
    },
    'of an app that promised more': async () => ({ servers: undefined, app: short, error: /shorter than its Content-Length/ }),
  };
  for (const [name, make] of Object.entries(cases)) {
    test(`is told in one line of the log, and breaks the connection: ${name}`, async (t) => {
      const { servers, app, error } = await make(t);
      const lines: Line[] = [];
      const logger = { write: (line: string) => void lines.push(JSON.parse(line) as Line) } as never;
      const config = { ...seen, log: { level: 'warn' as const }, ...(servers && { servers }) };
      const { port } = await openGateway(t, config, { logger, ...(app && { app }) });
      const client = wire(t, port);
      client.write(head('GET /one HTTP/1.1', 'Host: a'));
      assert.doesNotMatch(await client.end(), /half.*HTTP/s);
      await until(() => lines.length > 0);
      assert.deepEqual(
        lines.map(({ level, message, path, status_code }) => [level, message, path, status_code]),
        [['WARN', 'The answer broke off', '/one', 200]],
      );
      assert.match(String(lines[0]?.['error']), error);
    });
  }
});
