import { headerOf, type RawHeaders } from '../headers.js';

/** A part of a body: from the first byte up to, not including, the last. */
export interface Slice {
  readonly from: number;
  readonly to: number;
}

/**
 * The part of a complete answer that a request asks for (RFC 9110 14.2): `all` where it asks for none, for several, or in a way that is to be
 * ignored; `none` where there is no such part.
 */
export function sliceOf(request: RawHeaders, stored: RawHeaders, length: number): Slice | 'all' | 'none' {
  const asked = /^bytes=\s*(?:(\d+)-(\d*)|-(\d+))\s*$/i.exec(headerOf(request, 'range') ?? '');
  if (asked === null || !isUnchanged(headerOf(request, 'if-range'), stored)) return 'all';
  const [, first, last, suffix] = asked;
  if (first === undefined)
    return suffix === undefined || Number(suffix) === 0 || length === 0
      ? 'none'
      : { from: Math.max(0, length - Number(suffix)), to: length };
  const from = Number(first);
  const to = last === undefined || last === '' ? length : Math.min(Number(last) + 1, length);
  if (last !== undefined && last !== '' && Number(last) < from) return 'all';
  return from < length ? { from, to } : 'none';
}

/** `If-Range` wants the strong comparison: a weak tag never matches (RFC 9110 13.1.5). */
function isUnchanged(condition: string | undefined, stored: RawHeaders): boolean {
  if (condition === undefined) return true;
  if (condition.startsWith('"')) return condition === headerOf(stored, 'etag');
  return !condition.startsWith('W/') && condition === headerOf(stored, 'last-modified');
}
