import type { Answer } from '../../http/exchange.js';

/** A text that says how things are now. */
export function textAnswer(text: string, contentType: string, status: number = 200): Answer {
  const body = Buffer.from(text);
  const headers = ['content-type', contentType, 'content-length', String(body.length), 'cache-control', 'no-store'];
  return { status, headers, body };
}

/** The same as JSON. */
export function jsonAnswer(value: unknown, status: number = 200): Answer {
  return textAnswer(JSON.stringify(value), 'application/json; charset=utf-8', status);
}
