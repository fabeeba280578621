import type { Duplex } from 'node:stream';
import { after, type Clock } from '../../core/clock.js';
import { isSource, type Sink, type Source } from '../../http/body.js';
import type { Answer } from '../../http/exchange.js';
import { headerOf, type RawHeaders } from '../../http/headers.js';
import { lingeringEnd } from './linger.js';
import { responseHead } from './responseHead.js';

/** The longest body with which a handshake is refused, in bytes. */
const longest = 1_048_576;
/** How long such a body may take. */
const patience = 30_000;

/** What is written beside an answer. */
export interface Written {
  readonly clock: Clock;
  /** Fields in place of those of the answer. */
  readonly reply?: RawHeaders;
  /** The method of the request: an answer to HEAD has no body. */
  readonly method?: string | undefined;
}

/**
 * Writes an answer to the bare connection of an upgrade that did not come about, and ends that connection. A body that breaks off, takes too
 * long or is too long breaks the connection: no clean end is faked.
 */
export function writeAnswer(socket: Duplex, answer: Answer, { clock, reply = [], method }: Written): void {
  const { status, body } = answer;
  const bodiless = method === 'HEAD' || status === 204 || status === 304;
  if (isSource(body) && (bodiless || socket.destroyed)) body.cancel(unwanted);
  if (socket.destroyed) return;
  const own = ['Connection', 'close'];
  if (headerOf(answer.headers, 'date') === undefined) own.push('Date', new Date(clock.now()).toUTCString());
  if (isSource(body) && !bodiless) return new Refusal(socket, body, clock).run(answer, own, reply);

  const complete = body instanceof Uint8Array ? body : undefined;
  if (status !== 204 && status !== 304) own.push('Content-Length', String(complete?.length ?? 0));
  socket.write(responseHead(status, own, answer.headers, reply));
  if (complete !== undefined && !bodiless) socket.write(complete);
  lingeringEnd(socket, clock);
}

const unwanted = new Error('nobody reads this body');

/** A refusal whose body is still arriving. */
class Refusal implements Sink {
  readonly #socket: Duplex;
  readonly #body: Source;
  readonly #clock: Clock;
  #chunked = true;
  #length = 0;
  #over = false;
  #timer: { clear(): void } | undefined;

  constructor(socket: Duplex, body: Source, clock: Clock) {
    this.#socket = socket;
    this.#body = body;
    this.#clock = clock;
  }

  run({ status, headers }: Answer, own: RawHeaders, reply: RawHeaders): void {
    const length = headerOf(headers, 'content-length');
    this.#chunked = length === undefined;
    own.push(...(length === undefined ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', length]));
    this.#socket.write(responseHead(status, own, headers, reply));
    this.#timer = after(this.#clock, patience, () => this.#break(new Error('the body took too long')));
    this.#socket.on('drain', () => !this.#over && this.#body.resume());
    for (const event of ['close', 'end']) this.#socket.once(event, () => this.#break(new Error('the client closed the connection')));
    this.#socket.resume();
    this.#body.start(this);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#over || chunk.length === 0) return true;
    this.#length += chunk.length;
    if (this.#length > longest) {
      this.#break(new Error(`the body is longer than ${longest} bytes`));
      return false;
    }
    if (!this.#chunked) return this.#socket.write(chunk);
    this.#socket.cork();
    this.#socket.write(`${chunk.length.toString(16)}\r\n`);
    this.#socket.write(chunk);
    const more = this.#socket.write('\r\n');
    this.#socket.uncork();
    return more;
  }

  end(): void {
    if (!this.#finish()) return;
    if (this.#chunked) this.#socket.write('0\r\n\r\n');
    lingeringEnd(this.#socket, this.#clock);
  }

  fail(): void {
    if (this.#finish()) this.#socket.destroy();
  }

  #break(reason: Error): void {
    if (!this.#finish()) return;
    this.#body.cancel(reason);
    this.#socket.destroy();
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timer?.clear();
    return true;
  }
}
