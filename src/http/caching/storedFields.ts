import { headersOf, isNamed, joinedOf, type RawHeaders, tokensOf } from '../headers.js';
import { formatDate } from './dates.js';

/** Fields of one connection or one delivery (RFC 9111 3.1), which no later client may get. */
const passing = new Set(
  (
    'connection keep-alive proxy-connection te trailer transfer-encoding upgrade ' +
    'proxy-authenticate proxy-authentication-info proxy-authorization age x-cache'
  ).split(' '),
);

/** The fields of an answer that are kept, with a `Date` and the length of its body. */
export function storedFields(headers: RawHeaders, receivedAt: number, length: number): RawHeaders {
  const named = new Set(tokensOf(joinedOf(headers, 'connection')));
  const kept: RawHeaders = [];
  let dated = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const lower = name.toLowerCase();
    if (passing.has(lower) || named.has(lower) || lower === 'content-length') continue;
    dated ||= lower === 'date';
    kept.push(name, headers[i + 1] as string);
  }
  if (!dated) kept.push('Date', formatDate(receivedAt));
  kept.push('Content-Length', String(length));
  return kept;
}

/** Fields that belong to the body as it is stored: a 304 does not change them (RFC 9111 3.2). */
const ofStoredBody = new Set(['content-length', 'content-encoding', 'content-type', 'content-range']);

/** The stored fields with those of a 304 in their place (RFC 9111 4.3.4). */
export function updatedFields(stored: RawHeaders, fresh: RawHeaders): RawHeaders {
  const news: RawHeaders = [];
  for (let i = 0; i < fresh.length; i += 2) {
    const name = fresh[i] as string;
    if (!ofStoredBody.has(name.toLowerCase()) && !passing.has(name.toLowerCase())) news.push(name, fresh[i + 1] as string);
  }
  const kept: RawHeaders = [];
  for (let i = 0; i < stored.length; i += 2) {
    const lower = (stored[i] as string).toLowerCase();
    // A 304 without a date is from now: its age is not that of the answer which it confirms.
    if (lower === 'date') continue;
    if (headersOf(news, lower).length === 0) kept.push(stored[i] as string, stored[i + 1] as string);
  }
  // What says how old the answer is now counts for the judgement, not for storing.
  for (let i = 0; i < fresh.length; i += 2) if (isNamed(fresh[i] as string, 'age')) news.push('Age', fresh[i + 1] as string);
  return [...kept, ...news];
}
