import { Problem } from './problem.js';

/** How a request target is read. */
export interface TargetOptions {
  /** Whether `//` in a path counts as `/`. */
  readonly mergeSlashes: boolean;
  /** What `%2F` and `%5C` in a path are: upstreams that decode them see another path than the one that was authorised (CVE-2021-29492). */
  readonly encodedSlashes: 'reject' | 'keep';
  /** How long a path may be, where that is less than the whole target may be. */
  readonly maxPath?: number;
}

/** A request target, read. */
export interface Target {
  /** The canonical path: begins with `/`, or is `*`. */
  readonly path: string;
  /** With its `?`, or empty. */
  readonly query: string;
  /** Host and port of an absolute target, in lower case. */
  readonly authority: string | undefined;
}

const slash = 0x2f;
const dot = 0x2e;
const percent = 0x25;
const question = 0x3f;

/** What a character of a path asks for: nothing, the slow way, or a refusal. */
const plain = 0;
const slow = 1;
const refused = 2;
const kinds = new Uint8Array(0x10000).fill(refused);
const unreserved = new Uint8Array(0x80);
for (let code = 0x21; code < 0x7f; code++) {
  const char = String.fromCharCode(code);
  kinds[code] = /[A-Za-z0-9\-._~!$&'()*+,;=:@/[\]]/.test(char) ? plain : slow;
  if (/[A-Za-z0-9\-._~]/.test(char)) unreserved[code] = 1;
}
kinds[0x23] = refused; // a fragment is never sent: what comes after it would be hidden from some of those who read the path
kinds[0x5c] = refused; // some servers take a backslash for a slash

/**
 * Reads a request target (RFC 9112 3.2) into the one path by which everything is matched, authorised, limited, cached and forwarded.
 * A path that is canonical already costs one scan.
 */
export function parseTarget(raw: string, options: TargetOptions): Target | Problem {
  const target = raw.charCodeAt(0) === slash ? readPath(raw, 0, undefined, options) : readOther(raw, options);
  if (options.maxPath === undefined || target instanceof Problem || target.path.length <= options.maxPath) return target;
  return new Problem('uri_too_long');
}

function readPath(raw: string, start: number, authority: string | undefined, options: TargetOptions): Target | Problem {
  const { length } = raw;
  let canonical = true;
  let before = 0;
  let end = start;
  for (; end < length; end++) {
    const code = raw.charCodeAt(end);
    if (code === question) break;
    const kind = kinds[code];
    if (kind === refused) return malformed('the path holds a character that may not stand there');
    if (kind === slow || (before === slash && (code === dot || (code === slash && options.mergeSlashes)))) canonical = false;
    before = code;
  }
  for (let i = end + 1; i < length; i++) {
    const code = raw.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x23) return malformed('the query holds a character that may not stand there');
  }
  const query = end === length ? '' : raw.slice(end);
  const path = start === 0 && end === length ? raw : raw.slice(start, end);
  if (canonical) return { path: path === '' ? '/' : path, query, authority };
  const made = canonicalPath(path, options);
  return made instanceof Problem ? made : { path: made, query, authority };
}

/** Decodes what need not be encoded, encodes what must be, then removes dot segments (RFC 3986 6.2.2), in this order: `%2e%2e` is `..`. */
function canonicalPath(path: string, options: TargetOptions): string | Problem {
  let decoded = '';
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code !== percent) {
      decoded += kinds[code] === slow ? `%${code.toString(16).toUpperCase()}` : path[i];
      continue;
    }
    const byte = byteAt(path, i + 1);
    if (byte === -1) return malformed('the path holds a % without two hex digits after it');
    if (byte === 0) return malformed('the path holds a %00');
    if ((byte === slash || byte === 0x5c) && options.encodedSlashes === 'reject')
      return malformed('the path holds an encoded slash or backslash');
    decoded += unreserved[byte] === 1 ? String.fromCharCode(byte) : path.slice(i, i + 3).toUpperCase();
    i += 2;
  }
  return withoutDots(decoded, options);
}

/** A literal text of a pattern, written as it stands in a canonical path. */
export function canonicalLiteral(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}|[^\w\-.~!$&'()*+,;=:@/[\]]/gu, (found) => {
    const byte = found.length === 3 && found.startsWith('%') ? Number.parseInt(found.slice(1), 16) : 0;
    if (byte !== 0) return unreserved[byte] === 1 ? String.fromCharCode(byte) : found.toUpperCase();
    return Array.from(Buffer.from(found), (one) => `%${one.toString(16).toUpperCase().padStart(2, '0')}`).join('');
  });
}

function withoutDots(path: string, options: TargetOptions): string | Problem {
  const segments = path.split('/');
  const kept: string[] = [];
  const last = segments.length - 1;
  for (let i = 1; i <= last; i++) {
    const segment = segments[i] as string;
    const dots = segment === '.' || segment === '..';
    // Tomcat and its kin read `..;x` as `..`.
    if (segment.startsWith('..;') || segment.startsWith('.;')) return malformed('the path holds a dot segment with a parameter');
    if (segment === '..') kept.pop();
    else if (!dots && (segment !== '' || !options.mergeSlashes)) kept.push(segment);
    // A path that ends in a dot segment, or in slashes that were merged, still ends in a slash.
    if (i === last && (dots || (segment === '' && options.mergeSlashes))) kept.push('');
  }
  return `/${kept.join('/')}`;
}

function readOther(raw: string, options: TargetOptions): Target | Problem {
  if (raw === '*') return { path: '*', query: '', authority: undefined };
  const scheme = /^https?:\/\//i.exec(raw)?.[0];
  if (scheme === undefined) return malformed('the request target is neither a path nor an http address');
  let end = scheme.length;
  while (end < raw.length && raw.charCodeAt(end) !== slash && raw.charCodeAt(end) !== question) end++;
  const authority = raw.slice(scheme.length, end);
  if (!isAuthority(authority)) return malformed('the request target names no valid host');
  return readPath(raw, end, authority.toLowerCase(), options);
}

/**
 * Whether a text is `host` or `host:port` of RFC 3986 3.2, without user information. No `%`: `URL` decodes it, so that an app would see
 * another host than the one whose policies apply.
 */
export function isAuthority(text: string): boolean {
  return /^[\w.~!$&'()*+,;=-]+(?::\d{0,5})?$/.test(text) || /^\[[0-9A-Fa-f:.]{2,45}\](?::\d{0,5})?$/.test(text);
}

/** The byte that two hex digits at `at` stand for, or -1. */
function byteAt(text: string, at: number): number {
  const pair = text.slice(at, at + 2);
  return /^[0-9A-Fa-f]{2}$/.test(pair) ? Number.parseInt(pair, 16) : -1;
}

function malformed(message: string): Problem {
  return new Problem('bad_request', { message: `The request is malformed: ${message}` });
}
