import { collect, type Sink, type Source } from '../../http/body.js';
import type { RawHeaders } from '../../http/headers.js';

/** Who waits for the whole of a body that is on its way to somebody else. */
export interface Keeper {
  /** Whether somebody still wants it when the client has left. */
  wanted(): boolean;
  /** All of it, or nothing when it broke off or is too long. Called once. */
  done(body: Uint8Array | undefined): void;
}

/**
 * A body that flows to the client and is kept on its way. While it is being kept, a slow client slows nobody: what it has not taken is in
 * memory anyway. Once it is too long to be kept, the client alone sets the pace.
 */
export class Tee implements Source, Sink {
  readonly #source: Source;
  readonly #limit: number;
  readonly #keeper: Keeper;
  #chunks: Uint8Array[] | undefined = [];
  #length = 0;
  #sink: Sink | undefined = undefined;
  #started = false;

  constructor(source: Source, limit: number, keeper: Keeper) {
    this.#source = source;
    this.#limit = limit;
    this.#keeper = keeper;
  }

  start(sink: Sink): void {
    this.#sink = sink;
    this.#run();
  }

  resume(): void {
    if (this.#chunks === undefined) this.#source.resume();
  }

  cancel(reason: Error): void {
    this.#sink = undefined;
    if (this.#chunks !== undefined && this.#keeper.wanted()) return this.#run();
    this.#source.cancel(reason);
    this.#keep(undefined);
  }

  /** Nobody waits any more: the upstream is let go, unless the client is still there. */
  abandon(reason: Error): void {
    if (this.#started && this.#sink === undefined) this.cancel(reason);
  }

  write(chunk: Uint8Array): boolean {
    this.#length += chunk.length;
    if (this.#length <= this.#limit) this.#chunks?.push(chunk);
    else this.#keep(undefined);
    if (this.#sink !== undefined) return this.#sink.write(chunk) || this.#chunks !== undefined;
    if (this.#chunks === undefined) this.#source.cancel(new Error('the body is too long to be kept, and nobody else wants it'));
    return true;
  }

  end(trailers?: RawHeaders): void {
    this.#keep(this.#chunks);
    this.#sink?.end(trailers);
  }

  fail(error: Error): void {
    this.#keep(undefined);
    this.#sink?.fail(error);
  }

  #run(): void {
    if (this.#started) return;
    this.#started = true;
    this.#source.start(this);
  }

  #keep(chunks: readonly Uint8Array[] | undefined): void {
    if (this.#chunks === undefined) return;
    this.#chunks = undefined;
    this.#keeper.done(chunks && (chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
  }
}

/** All of a body that no client waits for; nothing when it broke off or is too long. */
export function wholeOf(body: Uint8Array | Source | undefined, limit: number): Promise<Uint8Array | undefined> {
  return collect(body, limit).catch(() => undefined);
}
