import type { Trip } from './outgoing.js';

/** What `fetch` takes. */
export type FetchInput = string | URL | Request;

/** A function that is called like `fetch`. */
export type Fetch = (input: FetchInput, init?: RequestInit) => Promise<Response>;

/** One request of a `fetch`, with all that is needed to send it again. */
export class FetchTrip implements Trip {
  readonly method: string;
  readonly url: string;
  readonly address: URL;
  readonly signal: AbortSignal | undefined;
  due = Infinity;
  last: unknown = undefined;
  readonly #input: FetchInput;
  readonly #request: Request | undefined;
  #init: RequestInit;
  #headers: Headers | undefined;

  constructor(input: FetchInput, address: URL, init: RequestInit = {}) {
    const request = isRequest(input) ? input : undefined;
    this.#input = input;
    this.#request = request;
    this.#init = init;
    this.address = address;
    this.url = address.href;
    this.method = (init.method ?? request?.method ?? 'GET').toUpperCase();
    this.signal = (init.signal === undefined ? request?.signal : init.signal) ?? undefined;
  }

  get origin(): string {
    return this.address.origin;
  }

  get host(): string {
    return this.address.host;
  }

  /** The fields that the caller gave. */
  get headers(): Headers {
    return (this.#headers ??= new Headers(this.#init.headers ?? this.#request?.headers));
  }

  header(name: string): string | undefined {
    return this.headers.get(name) ?? undefined;
  }

  /** How the caller wants caches to be used. */
  get cacheMode(): RequestCache {
    return this.#init.cache ?? this.#request?.cache ?? 'default';
  }

  /** Whether redirects are followed, as `fetch` does unless told otherwise. */
  get follows(): boolean {
    return (this.#init.redirect ?? this.#request?.redirect ?? 'follow') === 'follow';
  }

  get hasBody(): boolean {
    return (this.#init.body ?? undefined) !== undefined || this.#streamed;
  }

  /** A text, bytes or a form can be sent again; a stream is sent once. */
  get replayable(): boolean {
    const { body } = this.#init;
    if (body === undefined || body === null) return !this.#streamed;
    return typeof body === 'string' || ArrayBuffer.isView(body) || plain.some((kind) => body instanceof kind);
  }

  /** Whether the body is one of a `Request`, which only shows it as a stream. */
  get #streamed(): boolean {
    const { body } = this.#init;
    return (body === undefined || body === null) && (this.#request?.body ?? null) !== null;
  }

  /** Reads a short body of a `Request`, so that it can be sent again. What is longer goes on as a stream. */
  async keepBody(): Promise<void> {
    const stream = this.#streamed ? this.#request?.body : undefined;
    // One that was read before is for `fetch` to complain about.
    if (!stream || this.#request?.bodyUsed === true) return;
    const reader = stream.getReader();
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      chunks.push(read.value);
      size += read.value.byteLength;
      if (size > longestKept) {
        this.#init = { ...this.#init, body: rest(chunks, reader), duplex: 'half' } as RequestInit;
        return;
      }
    }
    this.#init = { ...this.#init, body: await new Blob(chunks).arrayBuffer() };
  }

  /** The same request with fields in place of its own. */
  asking(fields: Readonly<Record<string, string>>): FetchTrip {
    const headers = new Headers(this.headers);
    for (const [name, field] of Object.entries(fields)) headers.set(name, field);
    return new FetchTrip(this.#input, this.address, { ...this.#init, headers });
  }

  /** The same request for nobody in particular: it does not end with its caller. */
  alone(): FetchTrip {
    return new FetchTrip(this.#input, this.address, { ...this.#init, signal: null });
  }

  /** What `fetch` is called with for one attempt. */
  attempt(signal: AbortSignal): [input: FetchInput, init: RequestInit] {
    return [this.#input, { ...this.#init, signal }];
  }
}

/** A longer body of a `Request` is not kept: 1 MiB. */
const longestKept = 1_048_576;

const plain = [ArrayBuffer, Blob, URLSearchParams, FormData];

function rest(
  chunks: readonly Uint8Array<ArrayBuffer>[],
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const waiting = chunks.values();
  return new ReadableStream({
    async pull(controller) {
      const first = waiting.next();
      if (!first.done) return controller.enqueue(first.value);
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** Also one of another copy of undici. */
function isRequest(input: FetchInput): input is Request {
  return typeof input === 'object' && !(input instanceof URL) && typeof input.url === 'string';
}
