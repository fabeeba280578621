import type { Body, Sink, Source } from './body.js';

type Read = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>>;

/**
 * The body of a `Response`. Most come from a text, and are there as soon as anybody asks: such a one is returned whole, so that it can go out
 * together with its head. Any other stays a stream. Nothing is waited for.
 */
export async function bodyOfStream(stream: ReadableStream<Uint8Array>): Promise<Body> {
  const reader = stream.getReader();
  const first = await now(reader);
  if (first.is?.done === true) return undefined;
  if (first.is === undefined) return new WebSource(reader, [first.comes]);
  const second = await now(reader);
  return second.is?.done === true ? bytesOf(first.is.value) : new WebSource(reader, [first.comes, second.comes]);
}

/** Asks for a chunk. `is` what came without waiting for anything outside. */
async function now(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<{ readonly comes: Promise<Read>; readonly is?: Read }> {
  const comes = reader.read() as Promise<Read>;
  let is: Read | undefined;
  comes.then(
    (read) => (is = read),
    // Told when somebody wants the body.
    () => undefined,
  );
  // After all microtasks.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  return { comes, ...(is && { is }) };
}

function bytesOf(chunk: Uint8Array | string | undefined): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk);
  throw new TypeError('the body of a Response must give Uint8Array or text');
}

/** A web stream as a source, without a Node stream in between: that costs more than everything else. */
class WebSource implements Source {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #asked: Promise<Read>[];
  #over = false;
  /** The sink has asked for more since it was given the last chunk. */
  #wanted = false;
  #wake: (() => void) | undefined = undefined;

  /** `asked` is what was read of it already. */
  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, asked: Promise<Read>[]) {
    this.#reader = reader;
    this.#asked = asked;
  }

  start(sink: Sink): void {
    void this.#pump(sink);
  }

  resume(): void {
    this.#wanted = true;
    this.#wake?.();
  }

  cancel(reason: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#reader.cancel(reason).catch(() => undefined);
    this.#wake?.();
  }

  async #pump(sink: Sink): Promise<void> {
    try {
      for (;;) {
        const read = await (this.#asked.shift() ?? this.#reader.read());
        if (this.#over) return;
        if (read.done) break;
        this.#wanted = false;
        if (!sink.write(bytesOf(read.value)) && !this.#wanted) await new Promise<void>((resolve) => (this.#wake = resolve));
        if (this.#over) return;
      }
      this.#over = true;
      sink.end();
    } catch (error) {
      if (this.#over) return;
      this.cancel(error as Error);
      sink.fail(error as Error);
    }
  }
}
