import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { OptionsError } from '../core/errors.js';
import { type RawHeaders, joinedOf } from './headers.js';
import { isAuthority } from './target.js';

/** Who really asks, where proxies stand in front. */
export interface Client {
  readonly client: string;
  readonly scheme: 'http' | 'https' | undefined;
  readonly host: string | undefined;
}

/** Whether an address is in a set of blocks. What is no address is in none. */
export type Matcher = (address: string) => boolean;

const named: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10'],
};

/** How many addresses are remembered: parsing costs a microsecond, and the same few proxies and clients come again. */
const mostRemembered = 1024;

function remembered<T>(find: (address: string) => T): (address: string) => T {
  const known = new Map<string, T>();
  return (address) => {
    const before = known.get(address);
    if (before !== undefined) return before;
    const found = find(address);
    if (known.size >= mostRemembered) known.clear();
    known.set(address, found);
    return found;
  };
}

/**
 * Tells whether an address is in one of the blocks: addresses, CIDR blocks, `loopback`, `private`. IPv4 inside IPv6 counts as IPv4.
 * Throws `OptionsError` on a block that is none; `name` tells the reader where it stands.
 */
export function matcher(blocks: readonly string[], name: string = 'addresses'): Matcher {
  if (blocks.length === 0) return () => false;
  const ranges = blocks.flatMap((block) => (named[block] ?? [block]).map((one) => rangeOf(one, name)));
  return remembered((address) => isIn(address, ranges));
}

/** The proxies whose X-Forwarded-* are believed. */
export function compileTrust(blocks: readonly string[]): Matcher {
  return matcher(blocks, 'trusted_proxies');
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = readonly [base: Address, bits: number];

function rangeOf(block: string, name: string): Range {
  const wrong = (): OptionsError =>
    new OptionsError(`${name}: "${block}" is no address or block; write 10.1.2.3, 10.0.0.0/8, 2001:db8::/32, loopback or private`);
  const [text = '', bits, more] = block.split('/');
  if (isIP(text) === 0 || more !== undefined || (bits !== undefined && !/^\d{1,3}$/.test(bits))) throw wrong();
  const given = ipaddr.parse(text);
  const base = unmapped(given);
  const most = base.kind() === 'ipv4' ? 32 : 128;
  const width = bits === undefined ? most : Number(bits) - (base === given ? 0 : 96);
  if (width < 0 || width > most) throw wrong();
  return [base, width];
}

function isIn(address: string, ranges: readonly Range[]): boolean {
  if (isIP(address) === 0) return false;
  const parsed = unmapped(ipaddr.parse(address));
  return ranges.some(([base, bits]) => base.kind() === parsed.kind() && (parsed as ipaddr.IPv6).match(base, bits));
}

function unmapped(address: Address): Address {
  return address.kind() === 'ipv6' && (address as ipaddr.IPv6).isIPv4MappedAddress() ? (address as ipaddr.IPv6).toIPv4Address() : address;
}

/** The address of a connection's other end as it is shown, limited and compared: without `::ffff:` and zone. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7);
  const zone = address.indexOf('%');
  return zone === -1 ? address : address.slice(0, zone);
}

/**
 * For whom an address counts: itself, but for IPv6 its block of /56. One customer has all of it, and with it more addresses than anybody can
 * count (RFC 6177).
 */
export function networkOf(address: string): string {
  return address.includes(':') ? blockOf(address) : address;
}

const blockOf = remembered((address): string => {
  if (isIP(address) !== 6) return address;
  const { parts } = ipaddr.IPv6.parse(address);
  const [first = 0, second = 0, third = 0, fourth = 0] = parts;
  return `${[first, second, third, fourth & 0xff00].map((part) => part.toString(16)).join(':')}::/56`;
});

/**
 * Who asks, by the address at the other end and what it forwards. An untrusted peer is the client itself; with a trusted one it is the
 * rightmost address of X-Forwarded-For that is not a proxy of ours, for everything left of that one is hearsay.
 */
export function clientOf(peer: string, headers: RawHeaders, trusted: Matcher): Client {
  if (!trusted(peer)) return { client: peer, scheme: undefined, host: undefined };
  const chain = listOf(headers, 'x-forwarded-for');
  let client = peer;
  let hops = 0;
  do {
    hops++;
    const next = forwardedAddress(chain[chain.length - hops]);
    if (next === undefined) break;
    client = next;
  } while (trusted(client));
  const scheme = hopOf(listOf(headers, 'x-forwarded-proto'), hops)?.toLowerCase();
  const host = hopOf(listOf(headers, 'x-forwarded-host'), hops)?.toLowerCase();
  return {
    client,
    scheme: scheme === 'https' || scheme === 'wss' ? 'https' : scheme === 'http' || scheme === 'ws' ? 'http' : undefined,
    host: host !== undefined && isAuthority(host) ? host : undefined,
  };
}

function listOf(headers: RawHeaders, name: string): string[] {
  const joined = joinedOf(headers, name);
  return joined === undefined ? [] : joined.split(',').map((one) => one.trim());
}

/** What the outermost trusted proxy said: each of them either overwrote the field or appended to it. */
function hopOf(list: readonly string[], hops: number): string | undefined {
  return list[Math.max(0, list.length - hops)];
}

/** An address of X-Forwarded-For, which may come with a port or in brackets. */
function forwardedAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return isIP(bare) === 0 ? undefined : unmapped(ipaddr.parse(plainAddress(bare))).toString();
}
