import { Readable } from 'node:stream';

/** The most that is read and dropped of an upload once nobody wants it, so that the client's connection can be used again. */
const mostDropped = 65_536;

/**
 * A client's upload on its way to an upstream. undici destroys the stream that it sends when an answer comes early or never, and with
 * Node's own request stream the client's connection would go: so it gets this one, and the request stays.
 */
export class RequestBody extends Readable {
  readonly #source: Readable;
  #flowing = false;
  #over = false;
  #dropped = 0;
  /** Whether it was the client's side that broke. */
  broke = false;

  constructor(source: Readable) {
    super();
    this.#source = source;
    source.on('error', this.#broke);
  }

  override _read(): void {
    if (this.#flowing) {
      this.#source.resume();
      return;
    }
    this.#flowing = true;
    const source = this.#source;
    if (source.destroyed || source.readableEnded) {
      if (source.readableEnded) this.#ended();
      else this.#broke();
      return;
    }
    source.on('data', this.#take).on('end', this.#ended).on('close', this.#broke);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#unhook();
    if (this.#flowing && !this.#over && !this.#source.destroyed) this.#source.on('data', this.#drop).resume();
    done(error);
  }

  readonly #take = (chunk: Uint8Array): void => {
    if (!this.push(chunk)) this.#source.pause();
  };

  readonly #ended = (): void => {
    this.#over = true;
    this.#unhook();
    this.push(null);
  };

  readonly #broke = (error?: Error): void => {
    if (this.#over || this.destroyed) return;
    this.#over = true;
    this.broke = true;
    this.#unhook();
    this.destroy(error ?? new Error('the client went away'));
  };

  readonly #drop = (chunk: Uint8Array): void => {
    this.#dropped += chunk.length;
    if (this.#dropped > mostDropped) this.#source.off('data', this.#drop).pause();
  };

  /** The listener for errors stays: a client's connection may break at any time. */
  #unhook(): void {
    this.#source.off('data', this.#take).off('end', this.#ended).off('close', this.#broke);
  }
}
