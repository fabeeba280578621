import { toUSVString } from 'node:util';
import { OptionsError } from '../core/errors.js';
import { networkOf } from '../http/client.js';
import type { Exchange } from '../http/exchange.js';
import { type Part, partOf } from './templateParts.js';

/** Makes a text of an exchange. */
export type Keymaker = (exchange: Exchange) => string;

/**
 * Whose quota, cache entry or server it is: `ip`, `header:x-user`, `consumer`, `claim:sub`, `cookie:sid`, `query:q`, `path`, `host`,
 * `method`, a template with `{…}`, or a list of them. Different values never make one key. Where nothing tells who asks, the address
 * does, so that anonymous clients neither share a quota nor escape it. An IPv6 address stands for its block of /56. Throws `OptionsError` on what it does not know.
 */
export function compileKey(spec: string | readonly string[], pattern?: string): Keymaker {
  const texts = typeof spec === 'string' ? [spec] : spec;
  const pieces = texts.flatMap((text, i) => [
    ...(i === 0 ? [] : [':']),
    ...(text.includes('{') ? piecesOf(text, pattern) : [partOf(text.replace(':', '.'), text, pattern, [])]),
  ]);
  const [only] = pieces;
  if (pieces.length === 1 && typeof only === 'object' && only.name === 'ip') return (exchange) => networkOf(exchange.client);
  return compose(pieces, true);
}

/**
 * A template such as `user:{path.id}:{query.page}`: `{path.0}` is a segment of the path, `{path.id}` or `{id}` what the first `*` (or the
 * group of that name) of the pattern stands for, further names the further `*`. Beside these `{header.x}`, `{query.x}`, `{cookie.x}`,
 * `{claim.x}`, `{client}`, `{consumer}`, `{method}`, `{host}`, `{path}`. Values are escaped, a missing one is empty. Without a `pattern`,
 * that of the exchange counts. Throws `OptionsError` on what it does not know.
 */
export function compileTemplate(text: string, pattern?: string): Keymaker {
  return compose(piecesOf(text, pattern), false);
}

type Piece = string | Part;

function piecesOf(text: string, pattern: string | undefined): Piece[] {
  const names: string[] = [];
  const pieces: Piece[] = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('{', at);
    if (open === -1) break;
    const close = text.indexOf('}', open);
    if (close === -1) throw new OptionsError(`the template "${text}" has a { without a }`);
    const literal = text.slice(at, open);
    if (literal !== '') pieces.push(literal);
    pieces.push(partOf(text.slice(open + 1, close).trim(), text, pattern, names));
    at = close + 1;
  }
  if (at < text.length) pieces.push(text.slice(at));
  return separated(pieces);
}

/** What no escaped value holds, nor several of one name, which `&` joins. A literal without any of it does not keep two values apart. */
const apart = /[^\w\-.!~*'()%&]/;

/** Between two values there is always something that neither of them can hold. */
function separated(pieces: readonly Piece[]): Piece[] {
  const safe: Piece[] = [];
  for (const piece of pieces) {
    const last = safe.at(-1);
    if (typeof piece === 'object' && typeof last === 'object') safe.push(':');
    safe.push(piece);
  }
  return safe.map((piece, i) => {
    const between = i > 0 && i < safe.length - 1 && typeof piece === 'string';
    return !between || apart.test(piece) || /^[-.!~*'()_]+$/.test(piece) ? piece : `${piece}:`;
  });
}

function compose(pieces: readonly Piece[], identify: boolean): Keymaker {
  const literals = pieces.filter((piece) => typeof piece === 'string').join('');
  const escape = escaper(new Set(literals.match(/[-.!~*'()_]/g)));
  const identified = identify && pieces.some((piece) => typeof piece === 'object' && piece.identifies);
  return (exchange) => {
    let key = '';
    let anonymous = identified;
    for (const piece of pieces) {
      if (typeof piece === 'string') key += piece;
      else {
        const value = piece.read(exchange);
        if (value === undefined) continue;
        if (piece.identifies && value.length > 0) anonymous = false;
        if (typeof value === 'string') key += escape(identify && piece.name === 'ip' ? networkOf(value) : value);
        else key += value.map(escape).join('&');
      }
    }
    // `@` is in no escaped value: nobody can claim the key of an anonymous client.
    return anonymous ? `@${escape(networkOf(exchange.client))}:${key}` : key;
  };
}

/** Percent-encodes a value, and of what that leaves alone the characters that the literals of the template use. */
function escaper(used: ReadonlySet<string>): (text: string) => string {
  const others = used.size === 0 ? undefined : new RegExp(`[${Array.from(used, (char) => `\\${char}`).join('')}]`, 'g');
  return (text) => {
    if (/^[A-Za-z0-9]*$/.test(text)) return text;
    const encoded = encodeURIComponent(toUSVString(text));
    return others === undefined ? encoded : encoded.replace(others, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  };
}
