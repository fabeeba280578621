import type { Asker } from '../../http/caching/storable.js';
import type { Exchange } from '../../http/exchange.js';
import { meaningOf, says } from './cacheNames.js';
import { stickyPrefix } from '../../proxy/sticky.js';
import { headerOf, isNamed, joinedOf, type RawHeaders } from '../../http/headers.js';

/** What a request has that matters to a cache, one bit each. */
export const has = {
  /** If-None-Match or If-Modified-Since. */
  condition: 1,
  /** If-Match or If-Unmodified-Since, fields that the upstream will not see, or another address in a field: only the upstream can tell. */
  precondition: 2,
  range: 4,
  cacheControl: 8,
  authorization: 16,
  cookie: 32,
  consumer: 64,
} as const;

/** Finds them in one look at the fields: most requests have none. */
export function traitsOf({ headers, consumer }: Exchange): number {
  let traits = consumer === undefined ? 0 : has.consumer;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    switch (name.length) {
      case 5:
        if (isNamed(name, 'range')) traits |= has.range;
        break;
      case 6:
        if (isNamed(name, 'cookie')) traits |= isOwn(headers[i + 1] as string) ? 0 : has.cookie;
        else if (isNamed(name, 'pragma')) traits |= has.cacheControl;
        break;
      case 8:
        if (isNamed(name, 'if-match')) traits |= has.precondition;
        break;
      case 10:
        if (isNamed(name, 'connection') && !usual.test(headers[i + 1] as string)) traits |= has.precondition;
        break;
      case 13:
        traits |= ofThirteen(name);
        break;
      case 17:
        if (isNamed(name, 'if-modified-since')) traits |= has.condition;
        break;
      case 19:
        if (isNamed(name, 'if-unmodified-since')) traits |= has.precondition;
        break;
    }
    traits |= ofName(name);
  }
  return traits;
}

/** A field that `Connection` lists ends here: the upstream answers without it, whatever `Vary` says of it. */
const usual = /^[\s,]*(?:(?:close|keep-alive|te|upgrade|http2-settings)[\s,]*)*$/i;

/** Whether all cookies are those of sticky pools, which say nothing about the client. */
function isOwn(cookies: string): boolean {
  return cookies.split(';').every((cookie) => cookie.trimStart().startsWith(stickyPrefix));
}

function ofThirteen(name: string): number {
  if (isNamed(name, 'authorization')) return has.authorization;
  if (isNamed(name, 'cache-control')) return has.cacheControl;
  return isNamed(name, 'if-none-match') ? has.condition : 0;
}

function ofName(name: string): number {
  const meaning = meaningOf(name);
  if (meaning === says.nothing) return 0;
  return meaning === says.secret ? has.cookie : has.precondition;
}

/** Who asks. */
export function askerOf(traits: number): Asker {
  return {
    authorized: (traits & has.authorization) !== 0,
    consumer: (traits & has.consumer) !== 0,
    cookie: (traits & has.cookie) !== 0,
  };
}

/** Whoever asks, as a text that nobody else has: for answers that are theirs alone. */
export function whoOf({ headers, consumer }: Exchange): string {
  const parts = [consumer?.id, joinedOf(headers, 'cookie')].map((part) => part ?? null);
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (meaningOf(name) === says.secret) parts.push(name.toLowerCase(), headers[i + 1] as string);
  }
  return JSON.stringify(parts);
}

/** The request as it is sent for a new answer that others may get too: its own conditions taken out, those of the stored answer put in. */
export function conditionsFor(stored: RawHeaders | undefined): RawHeaders {
  const tag = stored && headerOf(stored, 'etag');
  const modified = stored && headerOf(stored, 'last-modified');
  // An empty value takes a field out.
  return ['if-none-match', tag ?? '', 'if-modified-since', modified ?? '', 'range', '', 'if-range', ''];
}
