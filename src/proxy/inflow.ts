import type { Sink, Source } from '../http/body.js';
import type { RawHeaders } from '../http/headers.js';

/** What is taken of a body before anybody wants it. */
const mostAhead = 65_536;

/**
 * A body that a parser pushes: kept until a sink is there, and from then on handed through. A base and not a part, so that a request and
 * its answer's body are one object.
 */
export abstract class Inflow implements Source {
  /** Whether everything was given to the sink, or nobody wants it any more. */
  over = false;
  #sink: Sink | undefined = undefined;
  #chunks: Uint8Array[] | undefined = undefined;
  #ahead = 0;
  #complete = false;
  #failure: Error | undefined = undefined;
  #trailers: RawHeaders | undefined = undefined;
  /** The sink cannot take more. */
  #full = false;
  /** The parser was told to stop. */
  #stopped = false;
  /** The sink asked for more while it was being given some. */
  #eager = false;
  #flushing = false;

  /** The parser may go on. */
  protected abstract proceed(): void;

  /** Nobody wants what has not come yet. */
  protected abstract stop(reason: Error): void;

  start(sink: Sink): void {
    this.#sink = sink;
    this.#flush();
  }

  resume(): void {
    this.#eager = true;
    this.#full = false;
    if (this.#flushing) return;
    if (this.#chunks !== undefined) this.#flush();
    else this.#pull();
  }

  cancel(reason: Error): void {
    if (this.over) return;
    this.over = true;
    this.#sink = undefined;
    this.#chunks = undefined;
    if (!this.#complete) this.stop(reason);
  }

  /** Cancels, and tells the sink if there is one. */
  protected cut(reason: Error): void {
    const sink = this.#sink;
    this.cancel(reason);
    sink?.fail(reason);
  }

  /** A chunk has come. `false` asks the parser to stop until `proceed`. */
  protected take(chunk: Uint8Array): boolean {
    const sink = this.#sink;
    if (sink === undefined || this.#chunks !== undefined) {
      if (this.over) return true;
      (this.#chunks ??= []).push(chunk);
      this.#ahead += chunk.length;
      if (this.#ahead < mostAhead) return true;
      this.#stopped = true;
      return false;
    }
    this.#eager = false;
    if (sink.write(chunk) || this.#eager) return true;
    this.#full = true;
    this.#stopped = true;
    return false;
  }

  /** All has come. */
  protected finish(trailers: RawHeaders | undefined): void {
    this.#complete = true;
    this.#trailers = trailers;
    if (this.#sink !== undefined && this.#chunks === undefined) this.#settle();
  }

  /** No more will come, though more was promised. */
  protected breakOff(error: Error): void {
    this.#complete = true;
    this.#failure = error;
    if (this.#sink !== undefined) this.#settle();
  }

  #flush(): void {
    if (this.#chunks !== undefined && this.#failure === undefined && !this.#empty(this.#chunks)) return;
    if (this.#complete) this.#settle();
    else if (!this.#full) this.#pull();
  }

  /** Gives the sink what has come. Tells whether that was all, and the sink is still there. */
  #empty(chunks: Uint8Array[]): boolean {
    const sink = this.#sink as Sink;
    this.#flushing = true;
    let given = 0;
    while (given < chunks.length && !this.#full && !this.over) {
      this.#eager = false;
      if (!sink.write(chunks[given++] as Uint8Array) && !this.#eager) this.#full = true;
    }
    this.#flushing = false;
    if (this.over) return false;
    if (given < chunks.length) {
      chunks.splice(0, given);
      return false;
    }
    this.#chunks = undefined;
    this.#ahead = 0;
    return true;
  }

  #pull(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.proceed();
  }

  #settle(): void {
    if (this.over) return;
    this.over = true;
    const sink = this.#sink as Sink;
    this.#chunks = undefined;
    if (this.#failure === undefined) sink.end(this.#trailers);
    else sink.fail(this.#failure);
  }
}
