import type { Exchange } from '../http/exchange.js';
import { type RawHeaders, isNamed } from '../http/headers.js';
import type { Server } from './server.js';

/** Keeps a client on its server by a cookie that holds the server's id. */
export class Sticky {
  readonly #cookie: string;

  constructor(pool: string, sticky: 'cookie' | { readonly cookie: string }) {
    this.#cookie = sticky === 'cookie' ? `premier_${pool.replaceAll(/[^\w-]/g, '_')}` : sticky.cookie;
  }

  /** The server that a client was with, when it can still be asked. */
  serverOf(exchange: Exchange, servers: readonly Server[]): Server | undefined {
    const id = this.#idOf(exchange.headers);
    return id === undefined ? undefined : servers.find((server) => server.id === id);
  }

  /** Tells the client where it belongs, unless it knows. */
  tell(exchange: Exchange, server: Server, headers: RawHeaders): void {
    if (this.#idOf(exchange.headers) === server.id) return;
    const secure = exchange.scheme === 'https' ? '; Secure' : '';
    headers.push('set-cookie', `${this.#cookie}=${server.id}; Path=/; HttpOnly; SameSite=Lax${secure}`);
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
