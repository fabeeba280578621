import type { ExecutionContext } from '@nestjs/common';
import { type Consumer, Exchange } from '../../http/exchange.js';
import type { RawHeaders } from '../../http/headers.js';
import { Problem } from '../../http/problem.js';
import { parseTarget } from '../../http/target.js';
import { addressOf, type WebRequest, type WebResponse, webOf } from './webRequest.js';

/** One run of a handler, and the HTTP request behind it in the words of the gateway, so that both understand the same keys. */
export class Visit {
  readonly context: ExecutionContext;
  readonly request: WebRequest | undefined;
  readonly response: WebResponse | undefined;
  #exchange: Exchange | undefined;

  constructor(context: ExecutionContext) {
    const { request, response } = webOf(context);
    this.context = context;
    this.request = request;
    this.response = response;
  }

  /** The request as an exchange; made when it is first asked for. */
  get exchange(): Exchange {
    return (this.#exchange ??= exchangeOf(this.request ?? { headers: {} }));
  }
}

const reading = { mergeSlashes: true, encodedSlashes: 'keep' } as const;

function exchangeOf(request: WebRequest): Exchange {
  const raw = addressOf(request);
  const target = parseTarget(raw, reading);
  const peer = request.socket?.remoteAddress ?? '';
  const host = request.host ?? request.headers['host'];
  const exchange = new Exchange({
    method: request.method ?? 'GET',
    path: target instanceof Problem ? (raw.split(/[?#]/, 1)[0] as string) : target.path,
    query: target instanceof Problem ? '' : target.query,
    host: typeof host === 'string' ? host.toLowerCase() : '',
    scheme: request.protocol === 'https' ? 'https' : 'http',
    client: request.ip ?? peer,
    peer,
    trusted: false,
    headers: rawHeadersOf(request),
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
  });
  exchange.consumer = consumerOf(request.user);
  return exchange;
}

function rawHeadersOf({ rawHeaders, raw, headers }: WebRequest): RawHeaders {
  const given = rawHeaders ?? raw?.rawHeaders;
  if (given !== undefined) return [...given];
  return Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [value].flat().flatMap((one) => [name, one])));
}

/** Who a guard of the application has put into `request.user`, as Passport and its kin do. */
function consumerOf(user: unknown): Consumer | undefined {
  if (typeof user === 'string' || typeof user === 'number') return { ...nobody, id: String(user) };
  if (typeof user !== 'object' || user === null) return undefined;
  const claims = user as Readonly<Record<string, unknown>>;
  const id = ['id', 'sub', 'userId', '_id'].map((name) => claims[name]).find((value) => value !== undefined && value !== null);
  return { ...nobody, id: id === undefined ? '' : String(id), claims };
}

const nobody: Consumer = { id: '', roles: [], scopes: [], tier: undefined, claims: {} };
