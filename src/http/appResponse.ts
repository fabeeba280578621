import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Sink, Source } from './body.js';
import type { Answer } from './exchange.js';
import { headerOf, type RawHeaders } from './headers.js';
import { measured } from './measured.js';
import { Problem } from './problem.js';

type Given = OutgoingHttpHeaders | OutgoingHttpHeader[];
type Chunk = string | Uint8Array;
type Done = (error?: Error | null) => void;

/**
 * The response that an app writes to: nothing goes to a socket, the head becomes an answer and the body its source. All that is called from
 * outside is a property of the object itself, because Express changes the prototype of every response.
 */
export class AppResponse extends ServerResponse implements Source {
  #answered: ((answer: Answer) => void) | undefined;
  readonly #failed: (error: unknown) => void;
  #sink: Sink | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #given: Given | undefined = undefined;
  /** The body, where it is known before the head. */
  #whole: Uint8Array | undefined = undefined;
  #over = false;
  /** Fields that are on the response already that this one stands in for. */
  #inherited: ReadonlyMap<string, unknown> | undefined = undefined;

  /** Begins the answer where the app has not: as whoever patched `writeHead` would have it (on-headers, say). */
  begin: () => void = () => void this.writeHead(this.statusCode);

  /** `failed` hears of an app that breaks off before it has answered. */
  constructor(request: IncomingMessage, answered: (answer: Answer) => void, failed: (error: unknown) => void) {
    super(request);
    this.#answered = answered;
    this.#failed = failed;
    Object.defineProperty(this, 'socket', { value: request.socket, writable: true, configurable: true });
  }

  override writeHead = (status: number, second?: string | Given, third?: Given): this => {
    if (this.headersSent)
      throw Object.assign(new Error('Cannot write headers after they are sent to the client'), { code: 'ERR_HTTP_HEADERS_SENT' });
    this.statusCode = status;
    this.#given = typeof second === 'string' ? third : second;
    if (typeof second === 'string') this.statusMessage = second;
    this.#commit();
    return this;
  };

  override write = (chunk: Chunk, second?: BufferEncoding | Done, third?: Done): boolean => {
    const bytes = bytesOf(chunk, second);
    this.#begin();
    const done = typeof second === 'function' ? second : third;
    if (done) process.nextTick(done);
    if (this.#over) return true;
    return this.#push(bytes);
  };

  override end = (first?: Chunk | Done | null, second?: BufferEncoding | Done, third?: Done): this => {
    const chunk = typeof first === 'function' ? undefined : (first ?? undefined);
    const done = [first, second, third].find((one) => typeof one === 'function');
    const bytes = chunk === undefined ? undefined : bytesOf(chunk, second);
    if (this.finished) return this;
    if (done) this.once('finish', done);
    this.finished = true;
    if (!this.headersSent) {
      // The whole answer at once: its body is no stream.
      this.#whole = bytes ?? new Uint8Array();
      this.#begin();
      this.#finish();
      return this;
    }
    if (this.#over) return this;
    if (bytes !== undefined && bytes.length > 0) this.#push(bytes);
    if (this.#sink !== undefined) this.#complete();
    return this;
  };

  override flushHeaders = (): void => {
    this.#begin();
  };

  override destroy = (error?: Error): this => {
    this.#break(error ?? new Error('the app destroyed its response'));
    return this;
  };

  /** Begins with the fields of another response, which stay that one's: only what is changed of them is part of the answer. */
  readonly inherit = (outer: ServerResponse): void => {
    const fields = new Map<string, unknown>();
    for (const name of rawNamesOf(outer)) {
      const value = outer.getHeader(name) as OutgoingHttpHeader;
      this.setHeader(name, value);
      fields.set(name.toLowerCase(), value);
    }
    this.#inherited = fields;
    this.statusCode = outer.statusCode;
  };

  readonly start = (sink: Sink): void => {
    this.#sink = sink;
    for (const chunk of this.#waiting) sink.write(chunk);
    this.#waiting = [];
    if (this.finished) this.#complete();
    else if (this.destroyed) sink.fail(broken);
    else if (this.#waitingBytes > 0) this.emit('drain');
  };

  readonly resume = (): void => {
    this.emit('drain');
  };

  readonly cancel = (): void => {
    this.abandon();
  };

  /** Nobody wants what the app writes from now on. */
  readonly abandon = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#answered = undefined;
    this.#waiting = [];
    this.destroyed = true;
    this.emit('close');
  };

  #begin(): void {
    if (!this.headersSent) this.begin();
    // A patch that begins nothing must not hold up the answer.
    if (!this.headersSent) this.#commit();
  }

  #commit(): void {
    const headers = this.#headers();
    const whole = this.#whole;
    const removed = this.#removed();
    if (
      whole !== undefined &&
      this.req.method !== 'HEAD' &&
      this.statusCode !== 304 &&
      this.statusCode !== 204 &&
      headerOf(headers, 'content-length') === undefined
    )
      headers.push('Content-Length', String(whole.length));
    // What Node itself looks at for `headersSent`: from here on the app's own `setHeader` throws as it would without a gateway.
    Object.assign(this, { _header: 'sent' });
    // Bun looks elsewhere.
    if (!this.headersSent) Object.defineProperty(this, 'headersSent', { value: true, configurable: true });
    this.#answered?.(
      measured({ status: this.statusCode, headers, body: whole ?? this, ...(removed.length > 0 && { removed }) }, this.req.method),
    );
    this.#answered = undefined;
  }

  #headers(): RawHeaders {
    const headers: RawHeaders = [];
    const add = (name: string, value: OutgoingHttpHeader | undefined): void => {
      if (value === undefined || isFraming(name) || this.#inherited?.get(name.toLowerCase()) === value) return;
      if (Array.isArray(value)) for (const one of value) headers.push(name, one);
      else headers.push(name, String(value));
    };
    const given = this.#given;
    const overridden = new Set<string>();
    if (Array.isArray(given)) {
      for (let i = 0; i < given.length; i += 2) {
        overridden.add(String(given[i]).toLowerCase());
        add(String(given[i]), given[i + 1]);
      }
    } else if (given !== undefined) {
      for (const [name, value] of Object.entries(given)) {
        overridden.add(name.toLowerCase());
        add(name, value);
      }
    }
    for (const name of rawNamesOf(this)) {
      const value = this.getHeader(name);
      if (!overridden.has(name.toLowerCase())) add(name, value);
    }
    return headers;
  }

  /** Fields that stood before, and that the app has taken out. */
  #removed(): readonly string[] {
    if (this.#inherited === undefined) return [];
    const given = Array.isArray(this.#given) ? this.#given.map(String) : Object.keys(this.#given ?? {});
    const names = new Set([...this.getHeaderNames(), ...given.map((name) => name.toLowerCase())]);
    return [...this.#inherited.keys()].filter((name) => !names.has(name));
  }

  #push(chunk: Uint8Array): boolean {
    if (this.#sink !== undefined) return this.#sink.write(chunk);
    // The app may use its buffer again as soon as `write` returns.
    this.#waiting.push(Buffer.from(chunk));
    this.#waitingBytes += chunk.length;
    return this.#waitingBytes < this.writableHighWaterMark;
  }

  #complete(): void {
    this.#sink?.end();
    this.#finish();
  }

  #finish(): void {
    this.#over = true;
    process.nextTick(() => {
      this.emit('finish');
      this.emit('close');
    });
  }

  #break(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.destroyed = true;
    if (this.#answered !== undefined) this.#failed(new Problem('bad_gateway', { cause: error }));
    this.#answered = undefined;
    this.#sink?.fail(error);
    this.emit('close');
  }
}

/** What an app writes. It is not asked to be right: what is neither text nor bytes is refused as Node refuses it. */
function bytesOf(chunk: unknown, encoding: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  if (chunk instanceof Uint8Array) return chunk;
  throw Object.assign(new TypeError('The "chunk" argument must be of type string or an instance of Buffer or Uint8Array'), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
}

/** The fields' names as the app spelt them: Node has this for every outgoing message, its types for requests alone. */
function rawNamesOf(response: ServerResponse): string[] {
  return (response as unknown as { getRawHeaderNames(): string[] }).getRawHeaderNames();
}

const broken = new Error('the app broke off its answer');

function isFraming(name: string): boolean {
  const lower = name.length === 17 || name.length === 10 || name.length === 9 ? name.toLowerCase() : '';
  return lower === 'transfer-encoding' || lower === 'connection' || lower === 'keep-alive' || lower === 'upgrade';
}
