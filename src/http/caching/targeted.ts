import type { Directives } from './directives.js';

/**
 * Reads `CDN-Cache-Control`, a dictionary of RFC 9651: one that is malformed, or gives a span that is no whole number, is ignored as a
 * whole (RFC 9213 2.1). An empty one says nothing.
 */
export function parseTargeted(field: string): Directives | undefined {
  const directives = new Map<string, string>();
  const text = field.replaceAll('\t', ' ').trim();
  let at = 0;
  while (at < text.length) {
    const [, name, value] = matchAt(member, text, at) ?? [];
    if (name === undefined) return undefined;
    at = member.lastIndex;
    if (value === '?0') directives.delete(name);
    else directives.set(name, value === undefined || value === '?1' ? '' : value);
    if (at === text.length) break;
    if (matchAt(comma, text, at) === null) return undefined;
    at = comma.lastIndex;
    if (at === text.length) return undefined;
  }
  const readable = spans.every((name) => !directives.has(name) || /^-?\d+$/.test(directives.get(name) as string));
  return directives.size === 0 || !readable ? undefined : directives;
}

const spans = ['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'];

const key = '[a-z*][a-z0-9_.*-]*';
const bare =
  String.raw`-?\d{1,12}\.\d{1,3}|-?\d{1,15}|"(?:[ !#-\[\]-~]|\\["\\])*"|:[A-Za-z0-9+/=]*:|\?[01]|@-?\d{1,15}` +
  "|[A-Za-z*][!#$%&'*+.^_`|~:/0-9A-Za-z-]*";
const parameters = `(?:; *${key}(?:=(?:${bare}))?)*`;
const list = String.raw`\( *(?:(?:${bare})${parameters} *)*\)`;
const member = new RegExp(`(${key})(?:=(${bare}|${list}))?${parameters}`, 'y');
const comma = / *, */y;

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
