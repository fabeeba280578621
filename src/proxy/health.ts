import type { Client } from 'undici';
import type { Clock, Timer } from '../core/clock.js';
import type { Server } from './server.js';
import type { HealthOptions } from './upstreamOptions.js';

/** What the watch over a pool's servers is made with. */
export interface HealthInit {
  readonly servers: readonly Server[];
  readonly options: HealthOptions;
  readonly clock: Clock;
  readonly random: () => number;
  /** A connection of its own, so that a check never waits behind requests. */
  readonly connect: (server: Server) => Client;
  /** A server came up or went down. */
  readonly onChange: (server: Server) => void;
}

/** Which servers of a pool are well: by what requests meet, and by checks of its own where there is a path to ask for. */
export class Health {
  readonly #init: HealthInit;
  readonly #timers = new Map<Server, Timer>();
  readonly #rests = new Map<Server, Timer>();
  readonly #clients = new Map<Server, Client>();
  readonly #good = new Map<Server, number>();
  readonly #bad = new Map<Server, number>();
  readonly #running = new Set<AbortController>();
  #stopped = false;

  constructor(init: HealthInit) {
    this.#init = init;
    if (init.options.path !== undefined) for (const server of init.servers) this.#check(server, init.options.path);
  }

  /** A server answered. */
  succeeded(server: Server): void {
    server.failuresInRow = 0;
  }

  /** A server did not answer, or not as one that is well. The only server of a pool is asked whatever happens: there is no other. */
  failed(server: Server): void {
    const { servers, options, clock } = this.#init;
    server.failures++;
    server.failuresInRow++;
    if (options.max_fails === 0 || server.failuresInRow < options.max_fails || servers.length === 1 || server.restsUntil !== 0) return;
    server.restsUntil = clock.monotonic() + options.fail_duration;
    const timer = clock.setTimer(() => this.#rested(server), options.fail_duration);
    timer.unref();
    this.#rests.set(server, timer);
    if (server.checkedWell) this.#init.onChange(server);
  }

  /** In how many milliseconds a server may be back. */
  get wait(): number {
    const { servers, options, clock } = this.#init;
    const now = clock.monotonic();
    const rests = servers.filter(({ restsUntil, draining }) => restsUntil !== 0 && !draining).map(({ restsUntil }) => restsUntil - now);
    return Math.min(options.path === undefined ? options.fail_duration : options.interval, ...rests);
  }

  /** Ends the checks. Servers that rest still come back. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.clear();
    for (const running of this.#running) running.abort();
    for (const client of this.#clients.values()) client.destroy().catch(nothing);
    this.#timers.clear();
    this.#clients.clear();
  }

  #rested(server: Server): void {
    this.#rests.delete(server);
    server.restsUntil = 0;
    if (server.checkedWell) this.#rose(server);
  }

  #rose(server: Server): void {
    if (this.#init.options.slow_start > 0) server.risenAt = this.#init.clock.monotonic();
    this.#init.onChange(server);
  }

  #check(server: Server, path: string): void {
    if (this.#stopped) return;
    this.#ask(server, path)
      .then(
        (status) => this.#found(server, this.#isGood(status), status),
        (error: unknown) => this.#found(server, false, ((error as { code?: unknown } | undefined)?.code as string | undefined) ?? 'failed'),
      )
      .then(() => this.#later(server, path), nothing);
  }

  /** Checks of many servers, or of many gateways, spread over time: each wait differs by up to a tenth. */
  #later(server: Server, path: string): void {
    if (this.#stopped) return;
    const { clock, random, options } = this.#init;
    const timer = clock.setTimer(() => this.#check(server, path), options.interval * (0.9 + 0.2 * random()));
    timer.unref();
    this.#timers.set(server, timer);
  }

  async #ask(server: Server, path: string): Promise<number> {
    const { clock, options, connect } = this.#init;
    let client = this.#clients.get(server);
    if (client === undefined) this.#clients.set(server, (client = connect(server)));
    const running = new AbortController();
    this.#running.add(running);
    const timer = clock.setTimer(
      () => running.abort(Object.assign(new Error('the check took too long'), { code: 'timeout' })),
      options.timeout,
    );
    timer.unref();
    try {
      const { statusCode, body } = await client.request({
        path: server.base + path,
        method: 'GET',
        headers: ['host', server.host, 'user-agent', 'premier-health'],
        signal: running.signal,
      });
      await body.dump({ limit: 65_536 });
      return statusCode;
    } finally {
      timer.clear();
      this.#running.delete(running);
    }
  }

  #isGood(status: number): boolean {
    const wanted = this.#init.options.status;
    if (wanted === undefined) return status >= 200 && status < 400;
    return typeof wanted === 'number' ? wanted === status : wanted.includes(status);
  }

  #found(server: Server, ok: boolean, said: number | string): void {
    if (this.#stopped) return;
    const { clock, options } = this.#init;
    server.lastCheck = { at: clock.now(), ok, said };
    const [counted, other] = ok ? [this.#good, this.#bad] : [this.#bad, this.#good];
    const times = (counted.get(server) ?? 0) + 1;
    counted.set(server, times);
    other.set(server, 0);
    if (ok === server.checkedWell || times < (ok ? options.healthy_after : options.unhealthy_after)) return;
    server.checkedWell = ok;
    if (server.restsUntil !== 0) return;
    if (ok) this.#rose(server);
    else this.#init.onChange(server);
  }
}

function nothing(): void {
  // a check that fails has been noted, and the next one comes
}
