import type { Exchange } from '../http/exchange.js';
import { type RawHeaders, headerOf, removeHeader, setHeader, tokensOf } from '../http/headers.js';
import { Problem } from '../http/problem.js';
import { kindOf, removeListed } from './fieldKinds.js';

/** How the gateway calls itself in `Via`. */
const ownVia = '1.1 premier';

/** How often a request may have come through a gateway of ours before it counts as a loop. */
const mostRounds = 10;

/** How the fields are made that go to an upstream. */
export interface RequestHeadersOptions {
  /** The `Host` of the server, which it gets where the client sent none, or where it should see its own. */
  readonly serverHost: string;
  readonly keepsHost: boolean;
  /** An upgrade: the fields that ask for one are built anew. */
  readonly upgrade?: string | undefined;
}

/**
 * The fields that an upstream gets: those of the client without what is hop-by-hop, framing, or a claim about who the client is, and with
 * the gateway's own. Throws `loop_detected` when the request has been here too often.
 */
export function requestHeaders(exchange: Exchange, { serverHost, keepsHost, upgrade }: RequestHeadersOptions): RawHeaders {
  const { headers, trusted } = exchange;
  const out: RawHeaders = ['host', keepsHost && exchange.host !== '' ? exchange.host : serverHost];
  let via = '';
  let came = '';
  let length: string | undefined;
  let chunked = false;
  let listed: string[] | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    switch (kindOf(name)) {
      case 'pass':
      case 'location':
        out.push(name, value);
        break;
      case 'connection':
        if (value !== 'keep-alive' && value !== 'close') (listed ??= []).push(...tokensOf(value));
        break;
      case 'te':
        if (tokensOf(value).includes('trailers')) out.push('te', 'trailers');
        break;
      case 'via':
        via += `${value}, `;
        break;
      case 'forwarded-for':
        if (trusted) came += `${value}, `;
        break;
      case 'forwarded':
        if (trusted) out.push(name, value);
        break;
      case 'content-length':
        length ??= value;
        break;
      case 'transfer-encoding':
        chunked = true;
        break;
      default:
    }
  }
  if (via !== '') stopLoops(via);
  if (listed !== undefined) removeListed(out, listed);
  // A body in memory is measured where it is sent; only a stream's length is known from its head.
  if (length !== undefined && !chunked && isStream(exchange.body) && /^\d+$/.test(length)) out.push('content-length', length);
  out.push('x-forwarded-for', came + exchange.peer);
  tellOrigin(out, exchange);
  out.push('via', via + ownVia);
  if (upgrade !== undefined) out.push('connection', 'Upgrade', 'upgrade', upgrade);
  if (exchange.assert.length > 0) assertAll(out, exchange);
  return out;
}

function isStream(body: Exchange['body']): boolean {
  return body !== undefined && !(body instanceof Uint8Array);
}

function stopLoops(via: string): void {
  const rounds = tokensOf(via).filter((entry) => entry === ownVia || entry.startsWith(`${ownVia} `)).length;
  if (rounds > mostRounds) throw new Problem('loop_detected');
}

/** Scheme, host, port and address of the client's request, where no proxy of ours has told them. */
function tellOrigin(out: RawHeaders, { trusted, scheme, host, client }: Exchange): void {
  if (!trusted || headerOf(out, 'x-forwarded-proto') === undefined) out.push('x-forwarded-proto', scheme);
  if (!trusted || headerOf(out, 'x-forwarded-host') === undefined) {
    if (host !== '') out.push('x-forwarded-host', host);
  }
  if (!trusted || headerOf(out, 'x-forwarded-port') === undefined) out.push('x-forwarded-port', portOf(host, scheme));
  if (!trusted || headerOf(out, 'x-real-ip') === undefined) out.push('x-real-ip', client);
}

function portOf(host: string, scheme: 'http' | 'https'): string {
  const colon = host.lastIndexOf(':');
  if (colon !== -1 && colon > host.lastIndexOf(']') && colon < host.length - 1) return host.slice(colon + 1);
  return scheme === 'https' ? '443' : '80';
}

/** What may not stand in a field's value: RFC 9110 5.5. */
const outsideField = /[^\t\x20-\x7e\x80-\xff]/;

function assertAll(out: RawHeaders, { assert, correlationId, traceparent }: Exchange): void {
  for (let i = 0; i < assert.length; i += 2) {
    const name = assert[i] as string;
    const kind = kindOf(name);
    if (kind === 'hop' || kind === 'connection' || kind === 'transfer-encoding' || kind === 'content-length') continue;
    const given = assert[i + 1] as string;
    // These two were checked when they were taken, and every request has them.
    const value = given === correlationId || given === traceparent ? given : sendable(given);
    if (value === undefined) continue;
    if (value !== '') setHeader(out, name, value);
    else if (kind !== 'host') removeHeader(out, name);
  }
}

/** A text beyond Latin-1 goes as the bytes of its UTF-8; one with line breaks does not go at all. */
function sendable(value: string): string | undefined {
  if (!outsideField.test(value)) return value;
  const bytes = Buffer.from(value, 'utf8').toString('latin1');
  return outsideField.test(bytes) ? undefined : bytes;
}
