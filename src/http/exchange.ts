import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { Body } from './body.js';
import type { RawHeaders } from './headers.js';

/** An HTTP response: from an upstream, an app, a cache, or the gateway itself. */
export interface Answer {
  status: number;
  /** Without framing (Content-Length stays, it is a promise about the body; Transfer-Encoding and Connection are gone). */
  headers: RawHeaders;
  body: Body;
  /** For status 101: the raw connection to the other side, and the bytes that it sent together with its head. */
  readonly tunnel?: Tunnel;
  /** The app has the response object and writes to it by itself. */
  readonly handled?: boolean;
  /** Fields that stood on the response before the app got it, and that the app took out. */
  readonly removed?: readonly string[];
  /** What a fetch-style app has answered, as it is: nothing wants to see it. */
  readonly response?: Response;
}

/** An upgraded connection to an upstream. */
export interface Tunnel {
  readonly socket: Duplex;
  readonly head: Uint8Array;
}

/** Who calls, as far as authentication knows. */
export interface Consumer {
  readonly id: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly tier: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Somebody of whom nothing but the name is known; nobody without one. */
export function consumerNamed(id: string | undefined): Consumer | undefined {
  return id === undefined || id === '' ? undefined : { id, roles: [], scopes: [], tier: undefined, claims: {} };
}

/** The body of a request: none, complete, or a stream that was not read yet. */
export type RequestBody = undefined | Uint8Array | Readable;

/** What came in, as it was. Only bridges and tunnels touch it. */
export interface Origin {
  /** Absent for fetch-style runtimes. */
  readonly request?: IncomingMessage;
  /** Absent for upgrades. */
  readonly response?: ServerResponse;
  /** An upgrade: the client's connection, and the bytes that came after the head. */
  readonly socket?: Duplex;
  readonly head?: Uint8Array;
  /** What comes after a middleware of node's way. */
  readonly passage?: Passage | undefined;
  /** What comes after a fetch-style middleware. */
  readonly web?: WebPassage;
}

/** One request on its way through a middleware. */
export interface Passage {
  /** Another response stands in for the app's from here on; what comes back is the real one, for the gateway alone. */
  standIn(): ServerResponse;
  /** Goes on to what comes after; with the response that stands in, if one does. */
  goOn(exchange: Exchange, response: ServerResponse): unknown;
}

/** One fetch-style request on its way through a middleware. */
export interface WebPassage {
  readonly request: Request;
  /** Goes on, with another request where the gateway has taken the body of the first. */
  readonly next: (exchange: Exchange, request: Request | undefined) => Promise<Response>;
  /** Fields that stand on the answer already, of what is further out: they are no part of what the app answers. */
  standing?: Headers | undefined;
}

/** One HTTP request on its way through the gateway, and what the gateway knows about it. Features read and change it. */
export class Exchange {
  readonly method: string;
  /** The canonical path: what is matched, authorised, limited, cached and forwarded. */
  path: string;
  /** With its `?`, or empty. */
  query: string;
  /** Host and port, in lower case, as the client asked for them. */
  readonly host: string;
  readonly scheme: 'http' | 'https';
  /** The address of the client: of the connection, or what trusted proxies say. */
  readonly client: string;
  /** The address at the other end of the connection. */
  readonly peer: string;
  /** Whether that is a proxy of ours, whose X-Forwarded-* are believed. */
  readonly trusted: boolean;
  /** The request's fields, as they came. The proxy makes what it sends of a copy of them. */
  readonly headers: RawHeaders;
  body: RequestBody;
  readonly origin: Origin;
  /** `websocket` where the client asks for an upgrade. */
  readonly upgrade: string | undefined;
  /** The pattern of the path that matched; `*` where none did. The label of metrics. */
  pattern = '*';
  correlationId = '';
  /** The `traceparent` for the upstream. */
  traceparent: string | undefined = undefined;
  consumer: Consumer | undefined = undefined;
  /** Fields that every answer to this request gets, in place of what it has of that name. */
  readonly reply: RawHeaders = [];
  /** Fields that go to the upstream in place of what the client sent, after everything hop-by-hop is gone. An empty value takes the field out. */
  readonly assert: RawHeaders = [];
  /** The cookie that ties the client to its server: the gateway's own, which no cache keeps. */
  tie: string | undefined = undefined;
  /** How the cache answered: `hit`, `miss`, `stale`, `revalidated`, `bypass`. */
  cacheResult: string | undefined = undefined;
  /** The server that was asked last. */
  server: string | undefined = undefined;
  /** Attempts beyond the first. */
  retries = 0;
  /** Failures of the upstream that may be tried again: all but the one that is answered with are let go in the end. */
  failures: Answer[] | undefined = undefined;
  /** How long nothing may arrive of the answer's body, in milliseconds; 0 for as long as it takes. */
  idle = 0;
  /** When it came, by the monotonic clock, in milliseconds. */
  readonly started: number;
  /** The same request in a gateway further out, where several are in one app. */
  outer: Exchange | undefined = undefined;

  constructor(init: ExchangeInit) {
    this.method = init.method;
    this.path = init.path;
    this.query = init.query;
    this.host = init.host;
    this.scheme = init.scheme;
    this.client = init.client;
    this.peer = init.peer;
    this.trusted = init.trusted;
    this.headers = init.headers;
    this.body = init.body;
    this.origin = init.origin;
    this.upgrade = init.upgrade;
    this.started = init.started;
  }

  /** Path and query, as they are forwarded. */
  get target(): string {
    return this.path + this.query;
  }

  /** The same request once more, on a life of its own: nothing that happens to it happens to this one. A copy asks for no upgrade. */
  copy(change: Partial<ExchangeInit>): Exchange {
    const { method, path, query, host, scheme, client, peer, trusted, headers, body, origin, started } = this;
    const own = { method, path, query, host, scheme, client, peer, trusted, headers, body, origin, started };
    const copy = new Exchange({ ...own, upgrade: undefined, ...change });
    copy.pattern = this.pattern;
    copy.correlationId = this.correlationId;
    copy.traceparent = this.traceparent;
    copy.consumer = this.consumer;
    copy.assert.push(...this.assert);
    return copy;
  }
}

/** What an exchange begins with. */
export interface ExchangeInit {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly host: string;
  readonly scheme: 'http' | 'https';
  readonly client: string;
  readonly peer: string;
  readonly trusted: boolean;
  readonly headers: RawHeaders;
  readonly body: RequestBody;
  readonly origin: Origin;
  readonly upgrade: string | undefined;
  readonly started: number;
}
