import { createHash, timingSafeEqual } from 'node:crypto';
import type { Exchange } from '../../http/exchange.js';
import { headerOf } from '../../http/headers.js';
import { Problem } from '../../http/problem.js';
import { randomHex } from '../../observe/randomHex.js';

/** What somebody may do: look, or change something too. */
export type Role = 'viewer' | 'admin';

/** Who may do what: `tokens` of the config's `admin`. */
export interface AdminToken {
  readonly token: string;
  readonly role: Role;
}

const loopback = /^(?:127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/i;
const loopbackHost = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/;

/** Guards what is not open to everybody: by the tokens of the config, or by a generated one that counts on this machine only. */
export class AdminAccess {
  /** To be shown to the person who started the gateway, once. Absent where the config has tokens. */
  readonly generatedToken: string | undefined;
  readonly #tokens: readonly { readonly digest: Buffer; readonly role: Role }[];

  constructor(tokens: readonly AdminToken[], generated: string = randomHex(48)) {
    this.generatedToken = tokens.length === 0 ? generated : undefined;
    const all = this.generatedToken === undefined ? tokens : [{ token: this.generatedToken, role: 'admin' as const }];
    this.#tokens = all.map(({ token, role }) => ({ digest: digestOf(token), role }));
  }

  /** Throws a `Problem` unless the request comes from where it may, with a token of at least this role. Returns the role that it has. */
  demand(exchange: Exchange, role: Role): Role {
    refuseStrangers(exchange);
    const held = this.#roleOf(exchange);
    if (held === undefined) throw new Problem('unauthorized', { headers: ['WWW-Authenticate', 'Bearer realm="premier"'] });
    if (role === 'admin' && held !== 'admin') throw new Problem('forbidden', { message: 'This needs a token with the role admin' });
    return held;
  }

  #roleOf(exchange: Exchange): Role | undefined {
    if (this.generatedToken !== undefined && !isOnThisMachine(exchange)) return undefined;
    const given = /^bearer +(\S+) *$/i.exec(headerOf(exchange.headers, 'authorization') ?? '')?.[1];
    if (given === undefined) return undefined;
    const digest = digestOf(given);
    let role: Role | undefined;
    // Every token is compared, so that the time says nothing about which one was near.
    for (const known of this.#tokens) if (timingSafeEqual(known.digest, digest) && role !== 'admin') role = known.role;
    return role;
  }
}

/** A page of another site, or of a name that was pointed at this address (DNS rebinding), must not act in a person's name. */
function refuseStrangers({ headers, host }: Exchange): void {
  const origin = headerOf(headers, 'origin');
  const isStrange = origin !== undefined && !(origin.toLowerCase() === `http://${host}` || origin.toLowerCase() === `https://${host}`);
  const site = headerOf(headers, 'sec-fetch-site');
  if (isStrange || site === 'cross-site' || site === 'same-site')
    throw new Problem('forbidden', { message: 'Requests from other sites are refused' });
}

/** With a name of this machine in `Host` as well: a generated token is never meant for a public name. */
function isOnThisMachine({ peer, client, host }: Exchange): boolean {
  return loopback.test(peer) && loopback.test(client) && loopbackHost.test(host);
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
