import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { isNamed } from '../../http/headers.js';

/**
 * Treats a request that asks for an upgrade other than a WebSocket as if it did not ask (RFC 9110 7.8): its head is put back in front of the
 * connection without what asks, and Node reads it again, as an ordinary request with an ordinary body. Java's HttpClient asks for h2c with
 * every first request, and curl with `--http2`; Node leaves such a request half read as soon as a server listens for upgrades.
 */
export function askAgain(server: Server, request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
  const { method, url, httpVersion, rawHeaders } = request;
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = isNamed(name, 'connection') ? withoutUpgrade(rawHeaders[i + 1] as string) : (rawHeaders[i + 1] as string);
    const asks = isNamed(name, 'upgrade') || isNamed(name, 'http2-settings') || (value === '' && isNamed(name, 'connection'));
    if (!asks) text += `${name}: ${value}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('encrypted' in socket && socket.encrypted === true ? 'secureConnection' : 'connection', socket);
}

function withoutUpgrade(connection: string): string {
  const kept = connection.split(',').filter((option) => !/^\s*(upgrade|http2-settings)?\s*$/i.test(option));
  return kept.join(',').trim();
}
