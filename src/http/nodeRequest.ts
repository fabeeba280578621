import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../core/clock.js';
import { type Client, clientOf, type Matcher, plainAddress } from './client.js';
import { consumerNamed, Exchange, type Passage } from './exchange.js';
import { type RawHeaders, isNamed } from './headers.js';
import { bodyOfRequest } from './nodeBody.js';
import { Problem, type ProblemType } from './problem.js';
import { isAuthority, parseTarget, type Target, type TargetOptions } from './target.js';

/** What the gateway's doorway goes by, compiled once for a configuration. */
export interface Edge extends TargetOptions {
  readonly trusted: Matcher;
  readonly maxUriBytes: number;
  /** Whether the gateway itself answers a path: there `%2F` is part of a name, whatever stands elsewhere. */
  readonly isOwn?: (path: string) => boolean;
  readonly clock: Clock;
}

/** The fields by which a request is framed and addressed, found in one scan. */
class Framing {
  hosts = 0;
  host = '';
  encodings = 0;
  encoding = '';
  lengths = 0;
  length = '';
  upgrade = '';

  constructor(headers: RawHeaders) {
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      const value = headers[i + 1] as string;
      switch (name.length) {
        case 4:
          if (isNamed(name, 'host') && this.hosts++ === 0) this.host = value;
          break;
        case 7:
          if (isNamed(name, 'upgrade')) this.upgrade = value;
          break;
        case 14:
          if (isNamed(name, 'content-length') && this.lengths++ === 0) this.length = value;
          break;
        case 17:
          if (isNamed(name, 'transfer-encoding') && this.encodings++ === 0) this.encoding = value;
          break;
        default:
      }
    }
  }
}

/** Who asks, as far as an app around the gateway knows. */
export interface Asker {
  /** The client's address. */
  readonly client?: string | undefined;
  /** Who it is: `key: consumer` counts by it. */
  readonly consumer?: string | undefined;
}

/** What is known of a request beside itself. */
interface Beside extends Asker {
  /** Of an upgrade: what came after its head. */
  readonly head?: Uint8Array | undefined;
  /** In a middleware: what comes after it. */
  readonly passage?: Passage | undefined;
}

/**
 * A request of Node's as an exchange, or why it is refused: what Node's parser lets through and a gateway must not (RFC 9112 3.2, 6.1).
 * Without a `response` it is an upgrade. Behind a mount path of a framework, the address is what
 * is left of it there: `request.url`.
 */
export function exchangeOfRequest(
  request: IncomingMessage,
  response: ServerResponse | undefined,
  edge: Edge,
  { head, client, consumer, passage }: Beside = nothing,
): Exchange | Problem {
  const method = request.method as string;
  const url = request.url as string;
  if (url.length > edge.maxUriBytes) return new Problem('uri_too_long', closing);
  if (method === 'TRACE' || method === 'CONNECT') return new Problem('method_not_allowed', closing);

  const framing = new Framing(request.rawHeaders);
  const wrong = framingProblem(request, framing);
  if (wrong !== undefined) return wrong;
  const target = targetOf(url, edge);
  if (target instanceof Problem) return target;
  if (target.path === '*' && method !== 'OPTIONS') return refuse('bad_request', '* is a target of OPTIONS alone');
  const encrypted = (request.socket as Partial<TLSSocket>).encrypted === true;
  let host = framing.host.toLowerCase();
  if (target.authority !== undefined) {
    if (framing.hosts > 0 && !sameAuthority(target.authority, host)) return refuse('bad_request', 'target and Host name different hosts');
    host = target.authority;
  }

  const peer = plainAddress(request.socket.remoteAddress);
  const trusted = edge.trusted(peer);
  const told: Client | undefined = trusted ? clientOf(peer, request.rawHeaders, edge.trusted) : undefined;
  const bodied = framing.encodings > 0 || (framing.lengths > 0 && Number(framing.length) > 0);
  const upgrading = response === undefined;
  if (upgrading && bodied) return refuse('bad_request', 'an upgrade has no body');
  const sent = bodied ? bodyOfRequest(request) : undefined;
  if (sent instanceof Problem) return sent;

  const exchange = new Exchange({
    method,
    path: target.path,
    query: target.query,
    host: told?.host ?? host,
    scheme: told?.scheme ?? (encrypted ? 'https' : 'http'),
    client: client === undefined ? (told?.client ?? peer) : plainAddress(client),
    peer,
    trusted,
    headers: sent?.headers ?? request.rawHeaders,
    body: sent?.body,
    origin: upgrading ? { request, socket: request.socket, ...(head && { head }) } : { request, response, passage },
    upgrade: upgrading ? framing.upgrade.trim().toLowerCase() : undefined,
    started: edge.clock.monotonic(),
  });
  exchange.consumer = consumerNamed(consumer);
  return exchange;
}

const nothing: Beside = {};

/** What becomes of the address counts: one that only begins like an own path would take its `%2F` on to an upstream. */
function targetOf(url: string, edge: Edge): Target | Problem {
  const target = parseTarget(url, edge);
  if (!(target instanceof Problem) || edge.isOwn === undefined || edge.encodedSlashes === 'keep') return target;
  const kept = parseTarget(url, { ...edge, encodedSlashes: 'keep' });
  return !(kept instanceof Problem) && edge.isOwn(kept.path) ? kept : target;
}

function framingProblem(request: IncomingMessage, framing: Framing): Problem | undefined {
  const old = request.httpVersionMajor === 1 && request.httpVersionMinor === 0;
  if (framing.hosts > 1) return refuse('bad_request', 'it has more than one Host');
  if (framing.hosts === 0 && !old) return refuse('bad_request', 'it has no Host');
  if (framing.hosts === 1 && !isAuthority(framing.host)) return refuse('bad_request', 'its Host is none');
  if (framing.encodings > 0) {
    if (old) return refuse('bad_request', 'HTTP/1.0 knows no Transfer-Encoding');
    if (framing.lengths > 0) return refuse('bad_request', 'it has both Content-Length and Transfer-Encoding');
    if (framing.encodings > 1 || framing.encoding.toLowerCase() !== 'chunked')
      return new Problem('not_implemented', { ...closing, message: 'No Transfer-Encoding but chunked is known here' });
  }
  if (framing.lengths > 1 || (framing.lengths === 1 && !/^\d{1,15}$/.test(framing.length)))
    return refuse('bad_request', 'its Content-Length is none');
  return undefined;
}

/** Where the next request begins is unknown after broken framing, so that the connection must not be used again. */
const closing = { headers: ['connection', 'close'] };

function refuse(type: ProblemType, why: string): Problem {
  return new Problem(type, { ...closing, message: `The request is malformed: ${why}` });
}

/** Whether two authorities are one, but for a default port that only one of them writes. */
function sameAuthority(one: string, other: string): boolean {
  return one === other || one.replace(/:(80|443)?$/, '') === other.replace(/:(80|443)?$/, '');
}
