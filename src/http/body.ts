import type { Readable } from 'node:stream';
import type { RawHeaders } from './headers.js';

/** Where a body flows to. */
export interface Sink {
  /** Takes a chunk. `false` asks the source to pause until it is told to `resume`. */
  write(chunk: Uint8Array): boolean;
  /** The body is complete. */
  end(trailers?: RawHeaders): void;
  /** The body broke off: what came so far is not all of it. */
  fail(error: Error): void;
}

/** A body that is still arriving. Somebody must `start` or `cancel` it, once. */
export interface Source {
  /** Flows into the sink, from now on and until `end` or `fail`. What has arrived already may come before this returns. */
  start(sink: Sink): void;
  /** The sink can take more. */
  resume(): void;
  /** Nobody wants the rest; neither `end` nor `fail` is called any more. Safe at any time. */
  cancel(reason: Error): void;
}

/** The body of an answer: none, complete, or still arriving. */
export type Body = undefined | Uint8Array | Source;

/** Whether a body is still arriving. */
export function isSource(body: Body): body is Source {
  return body !== undefined && !(body instanceof Uint8Array);
}

/** Lets go of a body that nobody will read. */
export function discard(body: Body, reason: Error): void {
  if (isSource(body)) body.cancel(reason);
}

/** A Node stream as a source. */
export function fromReadable(readable: Readable): Source {
  let over = false;
  readable.on('error', () => undefined);
  const finish = (action: () => void): void => {
    if (over) return;
    over = true;
    action();
  };
  return {
    start(sink) {
      readable.on('data', (chunk: Uint8Array | string) => {
        if (!over && !sink.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)) readable.pause();
      });
      readable.once('end', () => finish(() => sink.end()));
      readable.once('error', (error) => finish(() => sink.fail(error)));
      readable.once('close', () => finish(() => sink.fail(new Error('the body broke off'))));
    },
    resume: () => void readable.resume(),
    cancel(reason) {
      over = true;
      readable.destroy(reason);
    },
  };
}

/** All of a body, or `undefined` once it is longer than `limit` bytes: the rest is then cancelled. Rejects when it breaks off. */
export function collect(body: Body, limit: number): Promise<Uint8Array | undefined> {
  if (body === undefined) return Promise.resolve(new Uint8Array());
  if (body instanceof Uint8Array) return Promise.resolve(body.length > limit ? undefined : body);
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    body.start({
      write(chunk) {
        length += chunk.length;
        if (length > limit) {
          body.cancel(new Error(`the body is longer than ${limit} bytes`));
          resolve(undefined);
        } else chunks.push(chunk);
        return true;
      },
      end: () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)),
      fail: reject,
    });
  });
}
