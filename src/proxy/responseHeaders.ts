import type { Exchange } from '../http/exchange.js';
import { type RawHeaders, tokensOf } from '../http/headers.js';
import { latin1Of } from '../http/latin1.js';
import { kindOf, removeListed } from './fieldKinds.js';

/**
 * The fields that a client gets: those of the upstream without what is hop-by-hop. A redirect to the server's own `origin` becomes one to
 * where the client asked.
 */
export function responseHeaders(raw: readonly (Buffer | string)[], status: number, exchange: Exchange, origin: string): RawHeaders {
  const out: RawHeaders = [];
  let listed: string[] | undefined;
  let length: string | undefined;
  let trailer: string | undefined;
  let chunked = false;
  for (let i = 0; i < raw.length; i += 2) {
    const name = text(raw[i]);
    const value = text(raw[i + 1]);
    switch (kindOf(name)) {
      case 'hop':
      case 'te':
        break;
      case 'connection':
        if (value !== 'keep-alive' && value !== 'close') (listed ??= []).push(...tokensOf(value));
        break;
      case 'transfer-encoding':
        chunked = true;
        break;
      case 'content-length':
        length ??= value;
        break;
      case 'trailer':
        trailer = value;
        break;
      case 'location':
        out.push(name, outsideOf(value, exchange, origin));
        break;
      default:
        out.push(name, value);
    }
  }
  if (listed !== undefined) removeListed(out, listed);
  // RFC 9112 6.3: Transfer-Encoding overrides; RFC 9110 8.6: none with 204.
  if (length !== undefined && !chunked && status !== 204) out.push('content-length', length);
  if (trailer !== undefined && chunked && takesTrailers(status, exchange)) out.push('trailer', trailer);
  return out;
}

/** Bytes as Node's own parser reads them. */
function text(part: Buffer | string | undefined): string {
  return typeof part === 'string' ? part : latin1Of(part as Buffer);
}

/** Node throws at a Trailer field on an answer that is not chunked. */
function takesTrailers(status: number, { method, origin }: Exchange): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304 && origin.request !== undefined && origin.request.httpVersion !== '1.0';
}

function outsideOf(location: string, { scheme, host }: Exchange, origin: string): string {
  if (!location.startsWith(origin)) return location;
  const rest = location.slice(origin.length);
  if (rest !== '' && !rest.startsWith('/') && !rest.startsWith('?')) return location;
  return (host === '' ? '' : `${scheme}://${host}`) + (rest || '/');
}

/** Fields that mean nothing, or harm, once the body has gone: RFC 9110 6.5.1. */
const notAfter: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
]);

/** The fields that follow a body, or nothing where none may pass. */
export function trailersOf(raw: readonly (Buffer | string)[] | null): RawHeaders | undefined {
  if (raw === null || raw.length === 0) return undefined;
  const out: RawHeaders = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = text(raw[i]);
    if (kindOf(name) === 'pass' && !notAfter.has(name.toLowerCase())) out.push(name, text(raw[i + 1]));
  }
  return out.length === 0 ? undefined : out;
}
