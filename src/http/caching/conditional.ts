import { headerOf, isNamed, joinedOf, type RawHeaders } from '../headers.js';
import { parseDate } from './dates.js';

/** Whether a client that says what it has (RFC 9110 13.1.2, 13.1.3) has this answer: it is then told 304. */
export function isHad(request: RawHeaders, stored: RawHeaders, now: number): boolean {
  const tags = joinedOf(request, 'if-none-match');
  if (tags !== undefined) return tags.trim() === '*' || hasTag(tags, headerOf(stored, 'etag'));
  const since = parseDate(headerOf(request, 'if-modified-since'), now);
  if (since === undefined) return false;
  const changed = parseDate(headerOf(stored, 'last-modified') ?? headerOf(stored, 'date'), now);
  return changed !== undefined && changed <= since;
}

/** The weak comparison of RFC 9110 8.8.3.2. Tags may hold commas. */
function hasTag(list: string, tag: string | undefined): boolean {
  if (tag === undefined) return false;
  const opaque = strongOf(tag.trim());
  return (list.match(/(?:W\/)?"[^"]*"|[^\s,"]+/g) ?? []).some((candidate) => strongOf(candidate) === opaque);
}

const strongOf = (tag: string): string => (tag.startsWith('W/') ? tag.slice(2) : tag);

/** Fields that describe the body, which a 304 has not. */
const ofBody = ['content-length', 'content-type', 'content-encoding', 'content-language', 'content-range'];

/** The fields of a 304 for a stored answer (RFC 9110 15.4.5). */
export function withoutBody(headers: RawHeaders): RawHeaders {
  const kept: RawHeaders = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!ofBody.some((field) => isNamed(name, field))) kept.push(name, headers[i + 1] as string);
  }
  return kept;
}
