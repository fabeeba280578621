import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** One end of a connection within the process: what is written to it is read from its peer, with backpressure. */
class End extends Duplex {
  peer: End | undefined = undefined;
  /** Drops what is written. */
  muted = false;
  /** Whether the peer will write no more. */
  over = false;
  #written: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true });
    // Whoever holds it may not listen, and its end is no reason to crash.
    this.on('error', () => undefined);
  }

  override _read(): void {
    this.peer?.taken();
  }

  /** The peer can take more. */
  taken(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const { peer } = this;
    if (this.muted || peer === undefined || peer.destroyed || peer.over) return done();
    if (peer.push(chunk)) done();
    else this.#written = done;
  }

  override _final(done: () => void): void {
    this.#hangUp();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.taken();
    // What was written before still arrives; after it the connection ends, and nothing more is taken.
    this.#hangUp();
    this.peer?.taken();
    done(error);
  }

  #hangUp(): void {
    const { peer } = this;
    if (peer === undefined || peer.destroyed || peer.over) return;
    peer.over = true;
    peer.push(null);
  }
}

/** The app's end: it tells of the client's connection what apps ask a socket. */
class AppSocket extends End {
  readonly #client: Partial<Socket>;

  constructor(client: Duplex) {
    super();
    this.#client = client as Partial<Socket>;
  }

  get remoteAddress(): string | undefined {
    return this.#client.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#client.remotePort;
  }

  get remoteFamily(): string | undefined {
    return this.#client.remoteFamily;
  }

  get localAddress(): string | undefined {
    return this.#client.localAddress;
  }

  get localPort(): number | undefined {
    return this.#client.localPort;
  }

  get encrypted(): boolean {
    return (this.#client as { encrypted?: boolean }).encrypted === true;
  }

  /** The gateway has set all this on the connection itself. */
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end(() => this.destroy());
    else this.destroy();
  }
}

/** A connection within the process, from a gateway to its app. */
export interface AppConnection {
  readonly app: Duplex;
  readonly gateway: Duplex & { muted: boolean };
}

/** Connects a gateway with its app, in the name of a client. */
export function appConnection(client: Duplex): AppConnection {
  const app = new AppSocket(client);
  const gateway = new End();
  app.peer = gateway;
  gateway.peer = app;
  return { app, gateway };
}
