import type { Exchange } from '../http/exchange.js';

/** So many bytes may wait for a client. */
const mostWaiting = 65_536;

/** Passes an interim answer (102, 103) on to a client that can take one. A 101 that nobody asked for is refused by throwing. */
export function passInterim(exchange: Exchange, status: number, raw: readonly Buffer[]): void {
  if (status === 101) throw new Error('the upstream switched protocols, which nobody asked for');
  const { response, request } = exchange.origin;
  // RFC 9110 15.2: none to an HTTP/1.0 client.
  if (response === undefined || response.headersSent || response.destroyed || request?.httpVersion === '1.0') return;
  // Nobody waits for a client that reads too slowly here: what it has not taken would pile up.
  if (response.writableLength > mostWaiting) return;
  if (status === 102) response.writeProcessing();
  else if (status === 103) writeHints(response, raw);
}

function writeHints(response: NonNullable<Exchange['origin']['response']>, raw: readonly Buffer[]): void {
  const links: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if ((raw[i] as Buffer).toString('latin1').toLowerCase() === 'link') links.push((raw[i + 1] as Buffer).toString('latin1'));
  }
  if (links.length === 0) return;
  try {
    response.writeEarlyHints({ link: links });
  } catch {
    // Node takes links of a strict form only; a hint that it refuses is no loss
  }
}
