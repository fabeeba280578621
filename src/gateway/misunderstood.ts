import type { IncomingMessage } from 'node:http';
import type { Clock } from '../core/clock.js';
import { plainAddress } from '../http/client.js';
import { Exchange } from '../http/exchange.js';

/** The longest part of an address that goes into the log. */
const longestPath = 200;

/** What can be said of a request that was refused before it could be read. Nothing of it is ever forwarded. */
export function misunderstood(request: IncomingMessage, clock: Clock): Exchange {
  const { method = 'GET', url = '' } = request;
  const peer = plainAddress(request.socket.remoteAddress);
  return new Exchange({
    method,
    path: (url.split('?', 1)[0] as string).slice(0, longestPath),
    query: '',
    host: '',
    scheme: 'http',
    client: peer,
    peer,
    trusted: false,
    headers: [],
    body: undefined,
    origin: { request },
    upgrade: undefined,
    started: clock.monotonic(),
  });
}
