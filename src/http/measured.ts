import { isSource, type Sink, type Source } from './body.js';
import type { Answer } from './exchange.js';
import { headersOf, type RawHeaders, removeHeader, setHeader } from './headers.js';

/**
 * An app's answer whose `Content-Length` is true. Bytes beyond it would be read as the next answer on the connection, and with too few the
 * next answer as the rest of this one (response splitting). What is whole is measured; a stream is broken off where it does not keep its word.
 */
export function measured(answer: Answer, method: string | undefined): Answer {
  const { status, headers, body } = answer;
  if (method === 'HEAD' || status === 204 || status === 304) return answer;
  const said = headersOf(headers, 'content-length');
  const [length] = said;
  if (length === undefined) return answer;
  if (!isSource(body)) {
    const real = String(body?.length ?? 0);
    if (said.length > 1 || length !== real) setHeader(headers, 'Content-Length', real);
  } else if (said.length > 1 || !/^\d{1,15}$/.test(length)) removeHeader(headers, 'content-length');
  else answer.body = new Measured(body, Number(length));
  return answer;
}

/** A body on its way, and how much of it is still to come. */
class Measured implements Source, Sink {
  readonly #source: Source;
  #left: number;
  #sink: Sink | undefined = undefined;

  constructor(source: Source, length: number) {
    this.#source = source;
    this.#left = length;
  }

  start(sink: Sink): void {
    this.#sink = sink;
    this.#source.start(this);
  }

  resume(): void {
    this.#source.resume();
  }

  cancel(reason: Error): void {
    this.#sink = undefined;
    this.#source.cancel(reason);
  }

  write(chunk: Uint8Array): boolean {
    this.#left -= chunk.length;
    if (this.#left >= 0) return this.#sink?.write(chunk) ?? true;
    const sink = this.#sink;
    this.cancel(tooLong);
    sink?.fail(tooLong);
    return true;
  }

  end(trailers?: RawHeaders): void {
    if (this.#left === 0) this.#sink?.end(trailers);
    else this.#sink?.fail(tooShort);
  }

  fail(error: Error): void {
    this.#sink?.fail(error);
  }
}

const tooLong = new Error('the body is longer than its Content-Length');
const tooShort = new Error('the body is shorter than its Content-Length');
