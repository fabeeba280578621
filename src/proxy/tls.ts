import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { OptionsError } from '../core/errors.js';
import { buildConnector } from './undici.js';
import type { TlsOptions } from './upstreamOptions.js';

/** What a TLS connection is made with. */
export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly rejectUnauthorized?: boolean;
}

/** How `https:` servers of a pool are trusted, and who we are to them. Throws `OptionsError` when a file cannot be read. */
export function tlsOf(name: string, tls: TlsOptions): TlsMaterial {
  const file = (key: 'ca' | 'cert' | 'key'): Record<string, Buffer> => {
    const path = tls[key];
    if (path === undefined) return {};
    try {
      return { [key]: readFileSync(path) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new OptionsError(`upstreams.${name}.tls.${key}: cannot read "${path}" (${code}). Give the path of a PEM file`);
    }
  };
  return { ...file('ca'), ...file('cert'), ...file('key'), rejectUnauthorized: !tls.insecure };
}

/** The name that a server's certificate must bear; nothing for a bare address, which cannot be sent as a name. */
export function serverNameOf(hostname: string, tls: TlsOptions): string | undefined {
  return tls.server_name ?? (isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : undefined);
}

/** Makes connections whose certificate is checked against the server's own name, never against the `Host` that a client sent. */
export function connectorOf(tls: TlsMaterial, serverName: string | undefined, timeout: number): buildConnector.connector {
  const connect = buildConnector({ ...tls, timeout });
  return ({ hostname, protocol, port }, callback) =>
    connect({ hostname, host: hostname, protocol, port, ...(serverName !== undefined && { servername: serverName }) }, callback);
}
