import { headerOf, type RawHeaders } from '../headers.js';
import { parseDate } from './dates.js';
import { bornAt, type Terms, termsOf } from './terms.js';

/** What the owner of a cache has decided. Spans in milliseconds. */
export interface Rules {
  /**
   * How long an answer is fresh about which the upstream says nothing; nothing for without end. 0 leaves it to what RFC 9111 makes of the
   * upstream's silence.
   */
  readonly expire: number | undefined;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  readonly storeSetCookie: boolean;
  readonly storePrivate: boolean;
  readonly storeErrors: boolean;
  readonly ignoreUpstream: boolean;
  /** Whether the owner says what the key is made of. */
  readonly keyed: boolean;
}

/** Who asked, as far as it matters for whom the answer is. */
export interface Asker {
  /** The request had `Authorization`. */
  readonly authorized: boolean;
  /** The gateway knows the caller, and tells the upstream. */
  readonly consumer: boolean;
  /** The request had what often is a credential: a cookie, or a key that the gateway does not know. */
  readonly cookie: boolean;
}

/** How long an answer may be used for what, in milliseconds since the epoch. */
export interface Lease {
  readonly bornAt: number;
  readonly freshUntil: number;
  /** Stale, while somebody asks for a new one. */
  readonly staleUntil: number;
  /** Stale, when the upstream fails. */
  readonly errorUntil: number;
  readonly keepUntil: number;
  /** It may be given to whoever asks. */
  readonly shared: boolean;
  /** It is kept only for whoever asked for it. */
  readonly personal: boolean;
  /** Only the owner of the cache says how long it is fresh. */
  readonly implied: boolean;
  /** It may not be used once it is stale. */
  readonly strict: boolean;
}

/** An answer's head, and when it was asked for and came. */
export interface Head {
  readonly status: number;
  readonly headers: RawHeaders;
  readonly requestedAt: number;
  readonly receivedAt: number;
}

/** Whether a shared cache may keep an answer (RFC 9111 3), and for how long; nothing when it may not. */
export function leaseOf(head: Head, asker: Asker, rules: Rules): Lease | undefined {
  const { status, headers, receivedAt } = head;
  // A cache without support for parts must not keep them, and a 304 is no answer of its own.
  if (status < 200 || status === 206 || status === 304 || (status >= 500 && !rules.storeErrors)) return undefined;
  const said = termsOf(headers, receivedAt);
  const terms = rules.ignoreUpstream ? unheard(said) : said;
  if (!admits(terms, status) || (!rules.storeSetCookie && headerOf(headers, 'set-cookie') !== undefined)) return undefined;
  const personal = isPersonal(terms, asker, rules);
  if (personal === undefined) return undefined;
  const born = bornAt(headers, head.requestedAt, receivedAt);
  const freshUntil = freshUntilOf(terms, born, head, rules);
  if (freshUntil === undefined) return undefined;
  return leaseFor(terms, { born, freshUntil }, head, personal && !(rules.keyed && rules.storePrivate), rules);
}

/** What is left of an upstream's words when its freshness is ignored: for whom the answer is. */
function unheard(said: Terms): Terms {
  return { ...said, spoken: false, lifetime: undefined, noStore: false, noCache: false, mustUnderstand: false, strict: false };
}

/** `must-understand` takes the place of `no-store` where the status is known (RFC 9111 5.2.2.3). */
function admits(terms: Terms, status: number): boolean {
  return terms.mustUnderstand ? understood.has(status) : !terms.noStore;
}

/** The statuses of RFC 9110 whose caching this cache knows about. */
const understood = new Set([
  200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413,
  414, 415, 416, 417, 421, 422, 426, 500, 501, 502, 503, 504, 505,
]);

/** Whether the answer is for its asker alone; nothing when it then must not be kept. */
function isPersonal(terms: Terms, asker: Asker, rules: Rules): boolean | undefined {
  const implied = terms.lifetime === undefined && !terms.shared;
  const secret = terms.private || (asker.authorized && !terms.shared) || (asker.cookie && !asker.consumer && implied && !rules.keyed);
  const named = asker.consumer && !terms.shared;
  if (!secret) return named;
  const nobody = !asker.authorized && !asker.consumer && !asker.cookie;
  return rules.storePrivate && (rules.keyed || !nobody) ? true : undefined;
}

/** Until when it is fresh; nothing where nobody lets it be kept. What is said counts from its birth, what the owner wants from its arrival. */
function freshUntilOf(terms: Terms, born: number, { status, headers, receivedAt }: Head, rules: Rules): number | undefined {
  if (terms.noCache) return 0;
  if (terms.lifetime !== undefined) return born + terms.lifetime;
  const { expire } = rules;
  if (expire !== undefined && (expire > 0 || rules.ignoreUpstream))
    return implied.has(status) || status >= 500 ? receivedAt + expire : undefined;
  if (expire === undefined && !terms.spoken) return implied.has(status) ? Infinity : undefined;
  const modified = parseDate(headerOf(headers, 'last-modified'), receivedAt);
  if (modified === undefined) return implied.has(status) ? born : undefined;
  if (!guessed.has(status) && !terms.public) return undefined;
  return born + Math.min(day, Math.max(0, (receivedAt - modified) / 10));
}

/**
 * Statuses that are kept where the upstream does not say so. RFC 9110 15.1 would also let 404, 405, 414 and 501: but what is missing today is
 * made tomorrow, and nobody would tell this cache.
 */
const implied = new Set([200, 203, 204, 300, 301, 308, 410]);

/** Statuses whose freshness is guessed by how long the upstream has not changed what they are about (RFC 9111 4.2.2). */
const guessed = new Set([...implied, 404, 405, 414, 501]);

const day = 86_400_000;
const shortestReserve = 600_000;

interface Life {
  readonly born: number;
  readonly freshUntil: number;
}

function leaseFor(terms: Terms, { born, freshUntil }: Life, head: Head, personal: boolean, rules: Rules): Lease | undefined {
  const { status, headers, receivedAt } = head;
  // A stale error is no better than the one in whose place it would be.
  const strict = terms.strict || status >= 500;
  const staleUntil = strict ? freshUntil : freshUntil + (terms.staleWhileRevalidate ?? rules.staleWhileRevalidate);
  const errorUntil = strict ? freshUntil : Math.max(staleUntil, freshUntil + (terms.staleIfError ?? rules.staleIfError));
  const usedUntil = Math.max(errorUntil, staleUntil);
  const reserve = isRevalidable(headers) ? Math.min(day, Math.max(shortestReserve, freshUntil - receivedAt)) : 0;
  const keepUntil = Math.max(usedUntil, reserve === 0 ? 0 : Math.max(usedUntil, receivedAt) + reserve);
  if (keepUntil <= receivedAt) return undefined;
  const { shared } = terms;
  return {
    bornAt: born,
    freshUntil,
    staleUntil,
    errorUntil,
    keepUntil,
    shared,
    personal,
    implied: terms.lifetime === undefined && !shared,
    strict,
  };
}

/** Whether an upstream can be asked if the answer still holds. */
function isRevalidable(headers: RawHeaders): boolean {
  return headerOf(headers, 'etag') !== undefined || headerOf(headers, 'last-modified') !== undefined;
}
