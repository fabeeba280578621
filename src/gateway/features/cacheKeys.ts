import { createHash } from 'node:crypto';
import type { Exchange } from '../../http/exchange.js';
import { headerOf } from '../../http/headers.js';

/** Makes the keys of a path's answers. The address comes first, so that all of one path, or of one prefix, can be dropped at once. */
export class Keys {
  readonly #template: ((exchange: Exchange) => string) | undefined;
  readonly #pattern: string;

  constructor(template: ((exchange: Exchange) => string) | undefined, pattern: string) {
    this.#template = template;
    this.#pattern = pattern;
  }

  /** The key of what a request asks for. HEAD asks for what GET gets. */
  of(exchange: Exchange): string {
    const key = this.#template ? `=${this.#template(exchange)}\n${this.#pattern}` : addressOf(exchange, exchange.path, exchange.query);
    if (exchange.method === 'GET' || exchange.method === 'HEAD') return key;
    return `${key} ${exchange.method} ${digestOf(exchange)}`;
  }

  /** The keys of what a request with an unsafe method has changed: its own address, and those that the answer names. */
  changedBy(exchange: Exchange, named: readonly (string | undefined)[]): string[] {
    const changed: string[] = [];
    for (const target of [exchange.target, ...named]) {
      const local = target === undefined ? undefined : localOf(exchange, target);
      if (local === undefined) continue;
      const query = local.includes('?') ? local.indexOf('?') : local.length;
      const as = { method: 'GET', path: local.slice(0, query), query: local.slice(query) };
      changed.push(addressOf(exchange, as.path, as.query));
      if (this.#template) changed.push(this.of(seenAs(exchange, as)));
    }
    return changed;
  }
}

/** The key of an address; no space can stand in a target or a host. */
function addressOf({ scheme, host }: Exchange, path: string, query: string): string {
  return `${path}${query} ${scheme}://${host}`;
}

/** The exchange as it would be for another target: what a template reads of it. */
function seenAs(exchange: Exchange, as: { readonly method: string; readonly path: string; readonly query: string }): Exchange {
  return Object.assign(Object.create(exchange) as Exchange, as);
}

/** A reference as path and query, if it stays on this origin: nobody may empty the cache of another one. */
function localOf(exchange: Exchange, reference: string): string | undefined {
  const base = `${exchange.scheme}://${exchange.host}${exchange.target}`;
  if (!URL.canParse(reference, base)) return undefined;
  const url = new URL(reference, base);
  return url.origin === new URL(base).origin ? url.pathname + url.search : undefined;
}

/** The body of a request with a body is part of what it asks for. */
function digestOf({ body, headers }: Exchange): string {
  if (!(body instanceof Uint8Array)) return '';
  return createHash('sha256')
    .update(`${headerOf(headers, 'content-type') ?? ''}\n`)
    .update(body)
    .digest('base64url');
}
