import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { isNamed, type RawHeaders } from '../../http/headers.js';
import { checkUpgrade } from './handshake.js';

/**
 * Treats a request that asks for an upgrade other than a WebSocket as if it did not ask (RFC 9110 7.8): its head is put back in front of the
 * connection without what asks, and Node reads it again, as an ordinary request with an ordinary body. Java's HttpClient asks for h2c with
 * every first request, and curl with `--http2`; Node leaves such a request half read as soon as a server listens for upgrades.
 */
export function askAgain(server: Server, request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const fields = ordinary(rawHeaders);
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('encrypted' in socket && socket.encrypted === true ? 'secureConnection' : 'connection', socket);
}

/**
 * The same for Node 26, which reads the body of such a request by itself, so that nothing is left to be put back; but it can be told to take it
 * for an ordinary one. What a client has sent behind it in the same breath is lost there, and the connection ends by its timeout. The function
 * that comes back takes it away again.
 */
export function keepOrdinary(server: Server): () => void {
  const telling = server as Server & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean };
  const { shouldUpgradeCallback: before } = telling;
  if (before === undefined || Number.parseInt(process.versions.node, 10) < 26) return () => undefined;
  telling.shouldUpgradeCallback = (request) => {
    if (!before.call(server, request)) return false;
    if (checkUpgrade(request) !== 'other') return true;
    const { headers, rawHeaders } = request;
    const fields = ordinary(rawHeaders);
    delete headers.upgrade;
    delete headers['http2-settings'];
    const connection = fields.find((_, i) => i % 2 === 1 && isNamed(fields[i - 1] as string, 'connection'));
    if (connection === undefined) delete headers.connection;
    else headers.connection = connection;
    request.rawHeaders = fields;
    return false;
  };
  return () => {
    telling.shouldUpgradeCallback = before;
  };
}

/** The fields of a request without what asks for an upgrade. */
function ordinary(rawHeaders: RawHeaders): RawHeaders {
  const fields: RawHeaders = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = isNamed(name, 'connection') ? withoutUpgrade(rawHeaders[i + 1] as string) : (rawHeaders[i + 1] as string);
    const asks = isNamed(name, 'upgrade') || isNamed(name, 'http2-settings') || (value === '' && isNamed(name, 'connection'));
    if (!asks) fields.push(name, value);
  }
  return fields;
}

function withoutUpgrade(connection: string): string {
  const kept = connection.split(',').filter((option) => !/^\s*(upgrade|http2-settings)?\s*$/i.test(option));
  return kept.join(',').trim();
}
