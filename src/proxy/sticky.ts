import type { Exchange } from '../http/exchange.js';
import { type RawHeaders, isNamed } from '../http/headers.js';
import type { Server } from './server.js';

/** What the cookies of sticky pools begin with, unless they are given another name. They tell servers apart, not clients. */
export const stickyPrefix = 'premier_';

/** Keeps a client on its server by a cookie that holds the server's id. */
export class Sticky {
  readonly #cookie: string;

  constructor(pool: string, sticky: 'cookie' | { readonly cookie: string }) {
    this.#cookie = sticky === 'cookie' ? `${stickyPrefix}${pool.replaceAll(/[^\w-]/g, '_')}` : sticky.cookie;
  }

  /** The server that a client was with, when it can still be asked. */
  serverOf(exchange: Exchange, servers: readonly Server[]): Server | undefined {
    const id = this.#idOf(exchange.headers);
    return id === undefined ? undefined : servers.find((server) => server.id === id);
  }

  /** The cookie that tells the client where it belongs, unless it knows. */
  tell(exchange: Exchange, server: Server): string | undefined {
    if (this.#idOf(exchange.headers) === server.id) return undefined;
    const secure = exchange.scheme === 'https' ? '; Secure' : '';
    return `${this.#cookie}=${server.id}; Path=/; HttpOnly; SameSite=Lax${secure}`;
  }

  #idOf(headers: RawHeaders): string | undefined {
    for (let i = 0; i < headers.length; i += 2) {
      if (!isNamed(headers[i] as string, 'cookie')) continue;
      for (const pair of (headers[i + 1] as string).split(';')) {
        const at = pair.indexOf('=');
        if (pair.slice(0, at).trim() === this.#cookie) return pair.slice(at + 1).trim();
      }
    }
    return undefined;
  }
}
