import type { IncomingMessage } from 'node:http';
import { headersOf, tokensOf } from '../../http/headers.js';
import { Problem } from '../../http/problem.js';

/**
 * What an upgrade asks for: a WebSocket; a WebSocket in a way that is refused (RFC 6455 4.2.1); or something other, which a server may
 * ignore (RFC 9110 7.8). Node sends every request with `Connection: Upgrade` here once anyone listens, whatever its method and protocol.
 */
export function checkUpgrade(request: IncomingMessage): 'websocket' | Problem | 'other' {
  const { rawHeaders } = request;
  const asked = headersOf(rawHeaders, 'upgrade');
  const protocols = tokensOf(asked.join(','));
  if (!protocols.some((protocol) => protocol.split('/')[0] === 'websocket')) return 'other';
  if (protocols.length !== 1 || protocols[0] !== 'websocket') return malformed('it asks for more than a WebSocket');
  if (request.method !== 'GET') return malformed('a WebSocket begins with GET');
  if (request.httpVersionMajor !== 1 || request.httpVersionMinor < 1) return malformed('a WebSocket needs HTTP/1.1');
  // What follows would be read as a body by the one, as frames by the other.
  if (headersOf(rawHeaders, 'transfer-encoding').length > 0) return malformed('a WebSocket begins without a body');
  if (headersOf(rawHeaders, 'content-length').some((length) => length !== '0')) return malformed('a WebSocket begins without a body');
  const versions = headersOf(rawHeaders, 'sec-websocket-version');
  if (versions.length !== 1 || versions[0] !== '13')
    return new Problem('upgrade_required', { message: 'This needs version 13 of WebSocket', headers: spoken });
  const keys = headersOf(rawHeaders, 'sec-websocket-key');
  if (keys.length !== 1 || !sixteenBytes.test(keys[0] as string)) return malformed('Sec-WebSocket-Key is not one of 16 bytes');
  return 'websocket';
}

const sixteenBytes = /^[+/0-9A-Za-z]{21}[AQgw]==$/;

/** A 426 has to say what would do (RFC 9110 15.5.22). */
const spoken = ['sec-websocket-version', '13', 'upgrade', 'websocket'];

function malformed(why: string): Problem {
  return new Problem('bad_request', { message: `The request is malformed: ${why}` });
}
