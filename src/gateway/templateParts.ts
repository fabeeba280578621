import { OptionsError } from '../core/errors.js';
import { distance } from '../core/options.js';
import type { Exchange } from '../http/exchange.js';
import { cookieOf, joinedOf } from '../http/headers.js';
import { compilePattern, type Pattern } from './routerPattern.js';

/** A value of an exchange that a template names. */
export interface Part {
  readonly name: string;
  /** Whether it tells who asks. */
  readonly identifies: boolean;
  /** Several where a query names it several times. */
  read(exchange: Exchange): string | readonly string[] | undefined;
}

type Read = Part['read'];

const words: Readonly<Record<string, readonly [identifies: boolean, read: Read]>> = {
  ip: [true, (exchange) => exchange.client],
  client: [true, (exchange) => exchange.client],
  consumer: [true, (exchange) => exchange.consumer?.id],
  path: [false, (exchange) => exchange.path],
  host: [false, (exchange) => exchange.host],
  method: [false, (exchange) => exchange.method],
};

const kinds: Readonly<Record<string, (name: string) => Read>> = {
  header: (name) => {
    const lower = name.toLowerCase();
    return (exchange) => joinedOf(exchange.headers, lower);
  },
  query: (name) => (exchange) => queryOf(exchange.query, name),
  cookie: (name) => (exchange) => cookieOf(exchange.headers, name),
  claim: (name) => (exchange) => claimOf(exchange, name),
};

/**
 * The part that `name` stands for. `names` are the captures of one template so far, each of which takes the next `*`.
 * Throws `OptionsError`, which quotes `text`, on what nobody knows.
 */
export function partOf(name: string, text: string, pattern: string | undefined, names: string[]): Part {
  const word = Object.hasOwn(words, name) ? words[name] : undefined;
  if (word !== undefined) return { name: name === 'client' ? 'ip' : name, identifies: word[0], read: word[1] };
  const dot = name.indexOf('.');
  const kind = dot === -1 ? '' : name.slice(0, dot);
  const rest = name.slice(dot + 1);
  if (kind === 'header' && !/^[!#$%&'*+.^_`|~\w-]*$/.test(rest))
    throw new OptionsError(`"${rest}" in "${text}" is no name of a header field`);
  if (Object.hasOwn(kinds, kind) && rest !== '') return { name, identifies: true, read: (kinds[kind] as (name: string) => Read)(rest) };
  if (kind === 'path' && /^\d+$/.test(rest)) return { name, identifies: false, read: (exchange) => segmentOf(exchange.path, Number(rest)) };
  const captured = text.includes('{') && (kind === 'path' || kind === '') && /^\w[\w-]*$/.test(rest);
  if (!captured || (kind === '' && nearest(rest, Object.keys(words), 1) !== undefined)) throw unknown(name, text);
  return capture(rest, name, text, pattern, names);
}

function capture(rest: string, name: string, text: string, pattern: string | undefined, names: string[]): Part {
  if (!names.includes(rest)) names.push(rest);
  const nth = names.indexOf(rest);
  if (pattern !== undefined) {
    const compiled = compilePattern(pattern);
    if (!compiled.groups.includes(rest) && nth >= compiled.stars)
      throw new OptionsError(
        `{${name}} in "${text}": the pattern "${pattern}" has no * or group for it; {path.0} is the first segment of a path`,
      );
    return { name, identifies: true, read: ({ path }) => capturedOf(compiled, path, rest, nth, names.length) };
  }
  const known = new Map<string, Pattern>();
  const patternOf = (of: string): Pattern => {
    const compiled = known.get(of) ?? compilePattern(of);
    known.set(of, compiled);
    return compiled;
  };
  return { name, identifies: true, read: (exchange) => capturedOf(patternOf(exchange.pattern), exchange.path, rest, nth, names.length) };
}

/** With fewer names than `*`, the last name takes all that is left: two paths never become one. */
function capturedOf(pattern: Pattern, path: string, name: string, nth: number, names: number): string | readonly string[] | undefined {
  const found = pattern.captures(path);
  if (found === undefined) return undefined;
  const group = pattern.groups.indexOf(name);
  if (group !== -1) return found[group];
  return nth === names - 1 && found.length > names ? found.slice(nth) : found[nth];
}

function segmentOf(path: string, nth: number): string | undefined {
  return path.split('/', nth + 2)[nth + 1];
}

function queryOf(query: string, name: string): string | readonly string[] | undefined {
  let one: string | undefined;
  let more: string[] | undefined;
  for (let at = 1; at < query.length;) {
    const next = query.indexOf('&', at);
    const end = next === -1 ? query.length : next;
    const equals = query.indexOf('=', at);
    const cut = equals === -1 || equals > end ? end : equals;
    if (decoded(query.slice(at, cut)) === name) {
      const value = decoded(query.slice(cut + 1, end));
      if (one === undefined) one = value;
      else (more ??= [one]).push(value);
    }
    at = end + 1;
  }
  return more ?? one;
}

function decoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

function claimOf(exchange: Exchange, name: string): string | undefined {
  const claims = exchange.consumer?.claims;
  if (claims === undefined || !Object.hasOwn(claims, name)) return undefined;
  const value = claims[name];
  if (value === undefined || value === null) return undefined;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function nearest(name: string, known: readonly string[], most: number): string | undefined {
  return known.find((one) => distance(one, name.toLowerCase()) <= Math.min(most, one.length - 1, name.length - 1));
}

function unknown(name: string, text: string): OptionsError {
  const dot = name.indexOf('.');
  const near =
    dot === -1 ? nearest(name, [...Object.keys(words), ...Object.keys(kinds)], 2) : nearest(name.slice(0, dot), Object.keys(kinds), 2);
  const which = near !== undefined && Object.hasOwn(kinds, near) ? `${text.includes('{') ? '.' : ':'}NAME` : '';
  const meant = near === undefined ? '' : `; did you mean "${near}${dot === -1 ? which : name.slice(dot)}"?`;
  const known = 'ip, client, consumer, path, host, method, header:NAME, query:NAME, cookie:NAME, claim:NAME, path.0';
  return new OptionsError(`"${name}" in "${text}" is no value of a request${meant || `; known are ${known}`}`);
}
