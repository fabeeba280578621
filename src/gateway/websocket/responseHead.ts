import { STATUS_CODES } from 'node:http';
import { isNamed, type RawHeaders } from '../../http/headers.js';

/** Fields of one connection, or of the framing, which is made anew here. */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
]);

const allowed = /^[\t -~\u0080-\u00ff]*$/;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * The head of an HTTP/1.1 response for a bare socket: `own` first, then the answer's fields but for those of the connection, of `own` and of
 * `reply`, then `reply`. A field that would break out of its line is left out.
 */
export function responseHead(status: number, own: RawHeaders, headers: RawHeaders, reply: RawHeaders): Buffer {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  text += lines(own, (): boolean => true);
  text += lines(headers, (name) => !ofConnection.has(name) && !has(own, name) && !has(reply, name));
  text += lines(reply, (name) => !ofConnection.has(name) && !has(own, name));
  return Buffer.from(`${text}\r\n`, 'latin1');
}

function lines(headers: RawHeaders, wanted: (name: string) => boolean): string {
  let text = '';
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (wanted(name.toLowerCase()) && token.test(name) && allowed.test(value)) text += `${name}: ${value}\r\n`;
  }
  return text;
}

function has(headers: RawHeaders, name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (isNamed(headers[i] as string, name)) return true;
  return false;
}
