import type { Duplex } from 'node:stream';
import { after, type Clock } from '../../core/clock.js';
import type { Exchange } from '../../http/exchange.js';
import { Flow, type FlowWatcher } from './flow.js';
import { closeFrame } from './frames.js';
import { lingerMs } from './linger.js';
import { type MessageBounds, MessageLimits } from './messageLimits.js';

/** Who ended a tunnel. */
export type EndedBy = 'client' | 'upstream' | 'idle' | 'limit' | 'drain' | 'error';

/** How a tunnel ended: for logs and metrics. */
export interface TunnelEnd {
  readonly exchange: Exchange;
  readonly seconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** The code of the close frame that came first, or that the gateway sent. */
  readonly code: number | undefined;
  readonly by: EndedBy;
}

/** What a tunnel is held to. */
export interface TunnelOptions extends MessageBounds {
  /** In milliseconds. */
  readonly idle_timeout?: number | undefined;
}

/** An open WebSocket: the client's connection and the upstream's, joined byte by byte. */
export class Tunnel implements FlowWatcher {
  readonly exchange: Exchange;
  readonly #up: Flow;
  readonly #down: Flow;
  readonly #clock: Clock;
  readonly #limits: MessageLimits | undefined;
  readonly #idle: number;
  readonly #ended: (end: TunnelEnd) => void;
  readonly #began: number;
  #moved: number;
  #timer: { clear(): void } | undefined;
  #patience: { clear(): void } | undefined;
  #deadline: { clear(): void } | undefined;
  #by: EndedBy | undefined;
  #code: number | undefined;
  #open = 2;

  constructor(
    exchange: Exchange,
    client: Duplex,
    upstream: Duplex,
    options: TunnelOptions | undefined,
    clock: Clock,
    ended: (end: TunnelEnd) => void,
  ) {
    this.exchange = exchange;
    this.#clock = clock;
    this.#limits = MessageLimits.of(options, clock);
    this.#up = new Flow(client, upstream, this, this.#limits);
    this.#down = new Flow(upstream, client, this);
    this.#idle = options?.idle_timeout ?? 0;
    this.#ended = ended;
    this.#began = this.#moved = clock.monotonic();
  }

  get seconds(): number {
    return (this.#clock.monotonic() - this.#began) / 1000;
  }

  get bytesUp(): number {
    return this.#up.bytes;
  }

  get bytesDown(): number {
    return this.#down.bytes;
  }

  /** Begins to pass bytes: first those that came right behind the heads. */
  start(clientHead: Uint8Array, upstreamHead: Uint8Array): void {
    for (const flow of [this.#up, this.#down]) {
      flow.from.on('error', () => this.#over(flow, 'error'));
      flow.from.on('end', () => this.#over(flow));
      flow.from.on('close', () => this.#closed(flow));
    }
    if (this.#idle > 0) this.#watchIdle(this.#idle);
    this.#down.start(upstreamHead);
    this.#up.start(clientHead);
  }

  /** Tells both sides that the tunnel closes, where no other frame is under way, and ends it when both have answered, or after `graceMs`. */
  close(code: number, reason: string, by: EndedBy, graceMs: number): void {
    this.#deadline ??= after(this.#clock, graceMs, () => this.destroy());
    if (this.#by === undefined) {
      this.#by = by;
      this.#code = code;
    }
    this.#down.close(closeFrame(code, reason, false));
    // The upstream did nothing wrong: for it the client goes away.
    this.#up.close(closeFrame(1001, '', true));
    for (const flow of [this.#up, this.#down]) if (flow.frames.closed) this.closing(flow);
  }

  /** Ends it at once. */
  destroy(): void {
    this.#up.from.destroy();
    this.#down.from.destroy();
  }

  moved(): void {
    if (this.#idle > 0) this.#moved = this.#clock.monotonic();
  }

  closing(flow: Flow): void {
    if (this.#by === undefined) {
      this.#by = flow === this.#up ? 'client' : 'upstream';
      this.#code = flow.frames.code;
    }
    // The answer to our own close frame, or one that crossed it: there is nothing more to say to this side.
    if (flow.shut && this.#other(flow).shut) flow.from.end();
  }

  broken(): void {
    const { code, reason } = this.#limits as MessageLimits;
    this.close(code, reason, 'limit', lingerMs);
  }

  #other(flow: Flow): Flow {
    return flow === this.#up ? this.#down : this.#up;
  }

  /** A side has ended: what it sent is flushed to the other, which is given a little time to end as well. */
  #over(flow: Flow, by: EndedBy = flow === this.#up ? 'client' : 'upstream'): void {
    this.#by ??= by;
    flow.to.end();
    flow.to.resume();
    if (flow.to.readableEnded) for (const socket of [flow.from, flow.to]) socket.once('finish', () => this.#finish());
    this.#finish();
    this.#wait(lingerMs);
  }

  /** Both sides have ended, and have what was sent to them. */
  #finish(): void {
    const { from, to } = this.#up;
    if (isDone(from) && isDone(to)) this.destroy();
  }

  #closed(flow: Flow): void {
    if (--this.#open > 0) return this.#over(flow);
    this.#timer?.clear();
    this.#patience?.clear();
    this.#deadline?.clear();
    this.#ended({
      exchange: this.exchange,
      seconds: this.seconds,
      bytesUp: this.bytesUp,
      bytesDown: this.bytesDown,
      code: this.#code,
      by: this.#by ?? 'error',
    });
  }

  /** Ends it after a while, unless a side is still taking what is on its way. */
  #wait(ms: number): void {
    this.#patience?.clear();
    const pending = (): number => this.#up.to.writableLength + this.#down.to.writableLength;
    const before = pending();
    this.#patience = after(this.#clock, ms, () => {
      const left = pending();
      if (left > 0 && left < before) this.#wait(ms);
      else this.destroy();
    });
  }

  #watchIdle(ms: number): void {
    this.#timer = after(this.#clock, ms, () => {
      const left = this.#moved + this.#idle - this.#clock.monotonic();
      if (left > 0) this.#watchIdle(left);
      else this.close(1001, 'idle', 'idle', lingerMs);
    });
  }
}

function isDone(socket: Duplex): boolean {
  return socket.destroyed || (socket.readableEnded && socket.writableFinished);
}
