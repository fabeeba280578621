import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.js';
import { hashOf } from './hash.js';
import { Links } from './links.js';
import { type TlsMaterial, connectorOf, serverNameOf } from './tls.js';
import type { UpstreamOptions } from './upstreamOptions.js';

/** How fast an old measurement of a server's speed fades, in milliseconds. */
const fading = 10_000;

/** What a server's last active check found. */
export interface LastCheck {
  /** By the wall clock, in milliseconds. */
  readonly at: number;
  readonly ok: boolean;
  /** The status, or why there was none. */
  readonly said: number | string;
}

/** One server of a pool: where it is, how it does, and the connections to it. */
export class Server {
  /** As the configuration has it: its name in metrics and logs. */
  readonly url: string;
  readonly origin: string;
  readonly secure: boolean;
  readonly hostname: string;
  readonly port: string;
  /** Its own `Host`. */
  readonly host: string;
  /** The path that all of its addresses begin with; mostly empty. */
  readonly base: string;
  /** The name on its certificate. */
  readonly serverName: string | undefined;
  /** Stands for it in cookies, without telling its address. */
  readonly id: string;
  /** What rendezvous hashing knows it by. */
  readonly seed: number;
  readonly links: Links;
  weight: number;
  /** Its weight at this moment: less than `weight` while it starts slowly. */
  share: number;
  draining = false;
  /** Requests and tunnels under way, and how many of them are tunnels. */
  active = 0;
  tunnels = 0;
  requests = 0;
  failures = 0;
  /** Failures since the last success. */
  failuresInRow = 0;
  /** What the active checks say. */
  checkedWell = true;
  lastCheck: LastCheck | undefined = undefined;
  /** When its rest after failures ends, by the monotonic clock; 0 when it does not rest. */
  restsUntil = 0;
  /** When it came back, by the monotonic clock, while it starts slowly. */
  risenAt: number | undefined = undefined;
  /** How long it takes to begin an answer: the peak, fading. Milliseconds; 0 before the first. */
  latency = 0;
  #measuredAt = 0;
  /** What smooth weighted round robin counts. */
  turn = 0;

  constructor(url: string, weight: number, pool: string, options: UpstreamOptions, tls: TlsMaterial, clock: Clock) {
    const { protocol, hostname, port, host, pathname, origin } = new URL(url);
    this.url = url;
    this.origin = origin;
    this.secure = protocol === 'https:';
    this.hostname = hostname;
    this.port = port || (this.secure ? '443' : '80');
    this.host = host;
    this.base = pathname.replace(/\/+$/, '');
    this.serverName = this.secure ? serverNameOf(hostname, options.tls) : undefined;
    this.id = createHash('sha256').update(`${pool}\n${url}`).digest('hex').slice(0, 16);
    this.seed = hashOf(url);
    this.weight = weight;
    this.share = weight;
    this.links = new Links({
      origin,
      clock,
      connect: connectorOf(this.secure ? tls : {}, this.serverName, options.connect_timeout),
      connections: options.connections,
      keepAlive: options.keep_alive,
    });
  }

  /** Whether it is well, as far as checks and requests tell. */
  get up(): boolean {
    return this.checkedWell && this.restsUntil === 0;
  }

  /** An answer began after `ms`. A peak counts at once and fades slowly, so that a server that stalls is left alone soon. */
  measured(ms: number, now: number): void {
    if (ms >= this.latency) this.latency = ms;
    else this.latency = ms + (this.latency - ms) * Math.exp((this.#measuredAt - now) / fading);
    this.#measuredAt = now;
  }
}
