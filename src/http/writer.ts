import type { ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.js';
import { Deadline, type Deadlines, deadlinesOf } from '../core/deadlines.js';
import { endAfter } from './connection.js';
import { isSource, type Sink, type Source } from './body.js';
import type { Answer, Exchange } from './exchange.js';
import { isExpecting } from './expect.js';
import { headerOf, isReplaced, type RawHeaders, setHeader } from './headers.js';

/** How long a body may be silent where no timeout says it, in milliseconds. */
const longestSilence = 300_000;

/** Up to this size a body goes out together with its head, as one text: one write instead of two. */
const smallBody = 16_384;

/** So much may wait for a client before the source is told to pause: to stop and start it for each chunk costs a third of a long body. */
const mostWaiting = 131_072;

/** What the client's side of an exchange needs of a response; `ServerResponse` has all of it, and a captured one hands out its own. */
export type ResponseOut = Pick<
  ServerResponse,
  | 'writeHead'
  | 'write'
  | 'end'
  | 'flushHeaders'
  | 'destroy'
  | 'addTrailers'
  | 'on'
  | 'destroyed'
  | 'writableLength'
  | 'getHeaderNames'
  | 'setHeader'
  | 'removeHeader'
>;

/** Writes an answer to the client, with the fields of `exchange.reply`. A body that breaks off breaks the connection: no clean end is faked. */
export function writeAnswer(exchange: Exchange, answer: Answer, out: ResponseOut, clock: Clock): void {
  const { body, status } = answer;
  const headers = merged(answer.headers, exchange.reply);
  if (exchange.tie !== undefined) headers.push('Set-Cookie', exchange.tie);
  closeIfUnread(exchange, headers);
  if (isSource(body)) {
    if (exchange.method !== 'HEAD' && status !== 204 && status !== 304)
      return new Writer(exchange, out, body, answer, headers, clock).run();
    body.cancel(unwanted);
  }
  writeHead(out, status, headers, answer.removed);
  if (body instanceof Uint8Array && body.length > 0 && exchange.method !== 'HEAD') send(out, body);
  else out.end();
}

/**
 * Begins the answer. Where somebody further out has set fields, Node 20 would keep but the last of several of one name, and middlewares that
 * look on would expect no list.
 */
function writeHead(out: ResponseOut, status: number, headers: RawHeaders, removed: readonly string[] = []): void {
  if (removed.length === 0 && out.getHeaderNames().length === 0) {
    out.writeHead(status, headers);
    return;
  }
  const fields = new Map<string, [name: string, ...values: string[]]>();
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i] as string, headers[i + 1] as string];
    const known = fields.get(name.toLowerCase());
    if (known === undefined) fields.set(name.toLowerCase(), [name, value]);
    else known.push(value);
  }
  for (const name of removed) out.removeHeader(name);
  for (const [name, ...values] of fields.values()) out.setHeader(name, values.length === 1 ? (values[0] as string) : values);
  out.writeHead(status);
}

const unwanted = new Error('this answer has no body');

/** The answer's fields, with `reply` in place of those of its names. */
function merged(headers: RawHeaders, reply: RawHeaders): RawHeaders {
  if (reply.length === 0) return headers;
  const kept: RawHeaders = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!isReplaced(headers[i] as string, reply)) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  for (const part of reply) kept.push(part);
  return kept;
}

function send(out: ResponseOut, body: Uint8Array): void {
  if (body.length <= smallBody) out.end(asBuffer(body).toString('latin1'), 'latin1');
  else out.end(body);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The most of an unread body that is read and dropped to keep a connection. */
const mostDropped = 65_536;

/** An upload that nobody will read is not waited for: the connection ends with the answer. */
function closeIfUnread({ origin, body }: Exchange, headers: RawHeaders): void {
  const { request } = origin;
  if (body === undefined || request === undefined || request.complete) return;
  if (isExpecting(request) || Number(request.headers['content-length'] ?? Infinity) > mostDropped)
    setHeader(headers, 'Connection', 'close');
  else if (headerOf(headers, 'connection') !== 'close') return;
  endAfter({ socket: origin.response?.socket ?? request.socket });
}

/** One answer on its way to the client. */
class Writer implements Sink {
  readonly #exchange: Exchange;
  readonly #out: ResponseOut;
  readonly #source: Source;
  readonly #status: number;
  readonly #removed: readonly string[] | undefined;
  readonly #headers: RawHeaders;
  readonly #clock: Clock;
  /** What came before the head went out: with luck all of it. */
  #first: Uint8Array | undefined;
  #started = false;
  #ended = false;
  #draining = false;
  #idle: Deadlines | undefined;
  #deadline: Deadline<Writer> | undefined;

  constructor(exchange: Exchange, out: ResponseOut, source: Source, { status, removed }: Answer, headers: RawHeaders, clock: Clock) {
    this.#exchange = exchange;
    this.#out = out;
    this.#source = source;
    this.#status = status;
    this.#removed = removed;
    this.#headers = headers;
    this.#clock = clock;
  }

  run(): void {
    this.#source.start(this);
    if (this.#ended) return;
    // What came at once may have been more than one chunk: the head is out then.
    if (!this.#started) {
      this.#begin();
      if (this.#first === undefined) this.#out.flushHeaders();
      else this.#push(this.#first);
      this.#first = undefined;
    }
    this.#out.on('close', () => this.#gone());
    this.#idle = deadlinesOf(this.#clock, this.#exchange.idle > 0 ? this.#exchange.idle : longestSilence);
    this.#deadline = new Deadline<Writer>(this, silent);
    this.#idle.add(this.#deadline);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#started) return this.#push(chunk);
    if (this.#first === undefined) this.#first = chunk;
    else {
      this.#begin();
      this.#push(this.#first);
      this.#first = undefined;
      return this.#push(chunk);
    }
    return true;
  }

  end(trailers?: RawHeaders): void {
    this.#ended = true;
    this.#rest();
    if (!this.#started && trailers === undefined) {
      writeHead(this.#out, this.#status, this.#headers, this.#removed);
      if (this.#first === undefined) this.#out.end();
      else send(this.#out, this.#first);
      return;
    }
    if (!this.#started) {
      this.#begin();
      if (this.#first !== undefined) this.#push(this.#first);
    }
    if (trailers !== undefined && headerOf(this.#headers, 'trailer') !== undefined) this.#out.addTrailers(pairs(trailers));
    this.#out.end();
  }

  fail(error: Error): void {
    this.#ended = true;
    this.#rest();
    this.#out.destroy(error);
  }

  #begin(): void {
    this.#started = true;
    writeHead(this.#out, this.#status, this.#headers, this.#removed);
  }

  #push(chunk: Uint8Array): boolean {
    this.#progress();
    if (this.#out.write(chunk) || this.#out.writableLength < mostWaiting) return true;
    if (!this.#draining) {
      this.#draining = true;
      this.#out.on('drain', () => {
        this.#progress();
        this.#source.resume();
      });
    }
    return false;
  }

  /** Something moved: the silence begins anew. */
  #progress(): void {
    if (this.#deadline === undefined) return;
    this.#idle?.remove(this.#deadline);
    this.#idle?.add(this.#deadline);
  }

  #rest(): void {
    if (this.#deadline !== undefined) this.#idle?.remove(this.#deadline);
  }

  /** The client left, or the connection ended as it should. */
  #gone(): void {
    this.#rest();
    if (!this.#ended) this.#source.cancel(clientLeft);
  }

  /** Neither the upstream nor the client moved for too long. */
  static expire(writer: Writer): void {
    writer.#ended = true;
    writer.#source.cancel(tooSilent);
    writer.#out.destroy(tooSilent);
  }
}

const clientLeft = new Error('the client closed the connection');
const tooSilent = new Error('the body was silent for too long');

function silent(writer: Writer): void {
  Writer.expire(writer);
}

function pairs(raw: RawHeaders): [string, string][] {
  const all: [string, string][] = [];
  for (let i = 0; i < raw.length; i += 2) all.push([raw[i] as string, raw[i + 1] as string]);
  return all;
}
