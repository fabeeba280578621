import type { Exchange } from '../http/exchange.js';
import { cookieOf } from '../http/headers.js';
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
    const id = cookieOf(exchange.headers, this.#cookie);
    return id === undefined ? undefined : servers.find((server) => server.id === id);
  }

  /** The cookie that tells the client where it belongs, unless it knows. */
  tell(exchange: Exchange, server: Server): string | undefined {
    if (cookieOf(exchange.headers, this.#cookie) === server.id) return undefined;
    const secure = exchange.scheme === 'https' ? '; Secure' : '';
    return `${this.#cookie}=${server.id}; Path=/; HttpOnly; SameSite=Lax${secure}`;
  }
}
