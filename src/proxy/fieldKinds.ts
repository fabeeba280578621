import { type RawHeaders, isNamed } from '../http/headers.js';

/** What a proxy does with a field of that name. */
export type FieldKind =
  | 'pass'
  | 'hop'
  | 'connection'
  | 'te'
  | 'trailer'
  | 'transfer-encoding'
  | 'content-length'
  | 'host'
  | 'via'
  | 'forwarded-for'
  | 'forwarded'
  | 'claim'
  | 'location'
  | 'underscored';

const kinds: Readonly<Record<string, FieldKind>> = {
  connection: 'connection',
  te: 'te',
  trailer: 'trailer',
  'transfer-encoding': 'transfer-encoding',
  'content-length': 'content-length',
  host: 'host',
  via: 'via',
  'x-forwarded-for': 'forwarded-for',
  forwarded: 'forwarded',
  'x-real-ip': 'forwarded',
  location: 'location',
  // RFC 9110 7.6.1, and what else means one connection only. `Alt-Svc` would lead a client past the gateway.
  'keep-alive': 'hop',
  'proxy-connection': 'hop',
  'proxy-authenticate': 'hop',
  'proxy-authentication-info': 'hop',
  'proxy-authorization': 'hop',
  upgrade: 'hop',
  'http2-settings': 'hop',
  expect: 'hop',
  'alt-svc': 'hop',
};

/** Names are remembered as they are spelled; a client that invents names must not fill the memory. */
const known = new Map<string, FieldKind>();
const mostKnown = 1024;
const longestKnown = 64;

/** What is done with a field, however its name is spelled. */
export function kindOf(name: string): FieldKind {
  const before = known.get(name);
  if (before !== undefined) return before;
  const lower = name.toLowerCase();
  const kind = Object.hasOwn(kinds, lower) ? (kinds[lower] as FieldKind) : byPrefix(lower);
  if (name.length <= longestKnown && known.size < mostKnown) known.set(name, kind);
  return kind;
}

function byPrefix(lower: string): FieldKind {
  if (lower.startsWith('x-forwarded-')) return 'forwarded';
  if (lower === 'x-consumer' || lower.startsWith('x-consumer-')) return 'claim';
  // To CGI, WSGI and their kin X_Forwarded_For is X-Forwarded-For.
  return lower.includes('_') ? 'underscored' : 'pass';
}

/**
 * Takes out what a `Connection` field lists, but nothing that the gateway or a policy vouches for: a client that could remove that could
 * pose as somebody else (CVE-2024-45410).
 */
export function removeListed(headers: RawHeaders, listed: readonly string[]): void {
  const removed = listed.filter(isRemovable);
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (removed.some((name) => isNamed(headers[i] as string, name))) headers.splice(i, 2);
  }
}

function isRemovable(lower: string): boolean {
  if (lower.startsWith('content-') || lower.startsWith('sec-websocket-')) return false;
  return kindOf(lower) === 'pass' && !vouched.has(lower);
}

const vouched: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'date',
  'cache-control',
  'vary',
  'traceparent',
  'tracestate',
  'x-correlation-id',
]);
