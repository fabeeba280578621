import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { responseHead } from './responseHead.js';
import { Tunnel, type TunnelEnd, type TunnelOptions } from './tunnel.js';

/** What is known of an open tunnel. */
export interface TunnelInfo {
  readonly id: number;
  readonly pattern: string;
  readonly path: string;
  readonly client: string;
  readonly consumer: string | undefined;
  readonly server: string | undefined;
  readonly seconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/** An answer that opened a tunnel. */
export type Upgraded = Answer & Required<Pick<Answer, 'tunnel'>>;

/** All open WebSockets of a gateway. They outlive reloads, and are closed in good order when it stops. */
export class Tunnels {
  readonly #clock: Clock;
  readonly #open = new Map<number, Tunnel>();
  readonly #counts = new Map<string, number>();
  readonly #emptied: (() => void)[] = [];
  #last = 0;
  #closing: { readonly code: number; readonly graceMs: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Open tunnels of a path, by its pattern. */
  count(pattern: string): number {
    return this.#counts.get(pattern) ?? 0;
  }

  /** Open tunnels of every path that ever had one. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /**
   * Tells the client that its WebSocket is open, and joins it to the upstream's connection; `ended` is called once both are closed.
   * Answers `false`, and closes the upstream's connection, when the client has left.
   */
  open(exchange: Exchange, answer: Upgraded, options: TunnelOptions | undefined, ended: (end: TunnelEnd) => void): boolean {
    const { tunnel } = answer;
    const { socket, head = nothing } = exchange.origin;
    tunnel.socket.on('error', () => undefined);
    if (socket === undefined || socket.destroyed || !socket.writable || tunnel.socket.destroyed) {
      tunnel.socket.destroy();
      return false;
    }
    socket.on('error', () => undefined);
    unhurried(socket);
    unhurried(tunnel.socket);
    const id = ++this.#last;
    const opened = new Tunnel(exchange, socket, tunnel.socket, options, this.#clock, (end) => {
      this.#forget(id, exchange.pattern);
      ended(end);
    });
    this.#open.set(id, opened);
    this.#counts.set(exchange.pattern, this.count(exchange.pattern) + 1);
    socket.cork();
    socket.write(responseHead(101, ['Connection', 'Upgrade', 'Upgrade', 'websocket'], answer.headers, exchange.reply));
    opened.start(head, tunnel.head);
    socket.uncork();
    if (this.#closing !== undefined) this.#close(opened, this.#closing);
    return true;
  }

  /** Closes one tunnel; `false` where there is none of that number. */
  close(id: number, code: number = 1001, reason: string = '', graceMs: number = 2000): boolean {
    const tunnel = this.#open.get(id);
    tunnel?.close(code, reason, 'drain', graceMs);
    return tunnel !== undefined;
  }

  /**
   * Closes all of them, with a close frame to both sides, and ends after `graceMs` what is still open then. Resolves once none is. One whose
   * handshake was under way is closed as soon as it opens.
   */
  closeAll(code: number, graceMs: number): Promise<void> {
    const closing = (this.#closing = { code, graceMs });
    if (this.#open.size === 0) return Promise.resolve();
    const emptied = new Promise<void>((resolve) => void this.#emptied.push(resolve));
    for (const tunnel of this.#open.values()) this.#close(tunnel, closing);
    return emptied;
  }

  /** What is open now. */
  snapshot(): TunnelInfo[] {
    return [...this.#open].map(([id, { exchange, seconds, bytesUp, bytesDown }]) => ({
      id,
      pattern: exchange.pattern,
      path: exchange.path,
      client: exchange.client,
      consumer: exchange.consumer?.id,
      server: exchange.server,
      seconds,
      bytesUp,
      bytesDown,
    }));
  }

  #close(tunnel: Tunnel, { code, graceMs }: { readonly code: number; readonly graceMs: number }): void {
    tunnel.close(code, 'going away', 'drain', graceMs);
  }

  #forget(id: number, pattern: string): void {
    this.#open.delete(id);
    this.#counts.set(pattern, this.count(pattern) - 1);
    if (this.#open.size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }
}

const nothing = new Uint8Array();

/** Frames go out as they come, and no timeout of an HTTP server or agent is left on the connection. */
function unhurried(socket: Duplex): void {
  const { setNoDelay, setTimeout } = socket as Duplex & { setNoDelay?: (on: boolean) => void; setTimeout?: (ms: number) => void };
  setNoDelay?.call(socket, true);
  setTimeout?.call(socket, 0);
}
