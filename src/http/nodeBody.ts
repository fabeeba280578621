import type { IncomingMessage } from 'node:http';
import { toUSVString } from 'node:util';
import type { RequestBody } from './exchange.js';
import { type RawHeaders, headerOf, removeHeader, setHeader } from './headers.js';
import { Problem } from './problem.js';

/** A body to send on, and the header fields that go with it where they are not the request's own. */
export interface SentBody {
  readonly body: RequestBody;
  readonly headers: RawHeaders | undefined;
}

/** What frameworks leave on a request whose body they have read. */
interface Parsed {
  readonly body?: unknown;
  readonly rawBody?: unknown;
}

/**
 * The body of a request that has one. One that a body parser has read already is written anew: from `rawBody`, or from what the parser
 * made of it. Without that, an upstream would wait for ever for bytes that are gone.
 */
export function bodyOfRequest(request: IncomingMessage): SentBody | Problem {
  if (!request.readableEnded && !request.readableDidRead) return { body: request, headers: undefined };
  const { body, rawBody } = request as Parsed;
  if (request.readableEnded && !request.readableDidRead) return { body: undefined, headers: undefined };
  const text = request.readableEnded ? bytesOf(request, rawBody, body) : undefined;
  if (text === undefined) return unreadable(request);
  const headers = [...request.rawHeaders];
  removeHeader(headers, 'transfer-encoding');
  // Parsers hand out what they have unpacked; only untouched bytes still are what Content-Encoding says.
  if (headerOf(headers, 'content-length') !== String(text.length)) removeHeader(headers, 'content-encoding');
  setHeader(headers, 'content-length', String(text.length));
  if (typeof body === 'string' && text !== rawBody) asUtf8(headers);
  return { body: text, headers };
}

function bytesOf(request: IncomingMessage, rawBody: unknown, body: unknown): Uint8Array | undefined {
  if (rawBody instanceof Uint8Array) return rawBody;
  if (body instanceof Uint8Array) return body;
  const type = (headerOf(request.rawHeaders, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const isJson = /^application\/(?:[\w.+-]+\+)?json$/.test(type);
  if (typeof body === 'string') return Buffer.from(isJson && !isJsonText(body) ? JSON.stringify(body) : body);
  if (body === undefined) return undefined;
  if (isJson) return Buffer.from(JSON.stringify(body));
  if (type === 'application/x-www-form-urlencoded' && typeof body === 'object' && body !== null) return Buffer.from(formOf(body));
  return undefined;
}

/** A text parser leaves JSON as it came; a JSON parser makes a string of `"text"`. */
function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * A form as `qs` writes it: brackets for what is nested. Several plain values of one name stand as they do in most forms, name by name,
 * which parsers with and without brackets read alike.
 */
function formOf(form: object): string {
  const pairs: string[] = [];
  const write = (name: string, value: unknown): void => {
    if (Array.isArray(value)) {
      const flat = value.length > 1 && value.every((one) => typeof one !== 'object');
      for (const [i, one] of value.entries()) write(flat ? name : `${name}[${i}]`, one);
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, one] of Object.entries(value)) write(`${name}[${key}]`, one);
    } else pairs.push(`${encodeURIComponent(toUSVString(name))}=${encodeURIComponent(toUSVString(String(value ?? '')))}`);
  };
  for (const [name, value] of Object.entries(form)) write(name, value);
  return pairs.join('&');
}

/** The text is written in UTF-8 now, whatever it came in. */
function asUtf8(headers: RawHeaders): void {
  const type = headerOf(headers, 'content-type');
  if (type !== undefined && /charset=/i.test(type))
    setHeader(headers, 'content-type', type.replace(/charset=("[^"]*"|[^;\s]*)/i, 'charset=utf-8'));
}

function unreadable(request: IncomingMessage): Problem {
  const type = headerOf(request.rawHeaders, 'content-type') ?? 'without a type';
  const cause = new Error(
    `the body (${type}) was read before the gateway saw the request, and cannot be written anew. Put the gateway before the body parser, ` +
      'or keep the bytes: express.json({ verify: (request, response, bytes) => { request.rawBody = bytes } })',
  );
  return new Problem('internal_server_error', { cause });
}
