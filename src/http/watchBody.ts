import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/** Looks on while a body arrives. */
export interface Watcher {
  /** A chunk has come. An error drops it and everything after it, and is what the body's readers get. */
  chunk(bytes: Uint8Array): Error | undefined;
  /** All of it has come. */
  end?(): void;
}

/**
 * Shows each chunk of a body to a watcher as it arrives, whoever reads the body: the proxy, or an app that has the request itself. A stream
 * in between would take the chunks from the app; destroying the body would take the connection on which the client waits for its answer.
 */
export function watchBody(body: Readable, watcher: Watcher): void {
  let refused: Error | undefined;
  const refuses = (bytes: Uint8Array): boolean => {
    if (refused === undefined) {
      refused = watcher.chunk(bytes);
      if (refused !== undefined && body.listenerCount('error') > 0) body.emit('error', refused);
    }
    return refused !== undefined;
  };
  if (body.readableLength > 0) {
    // Something before this had to wait, and the first bytes are here already.
    const first = body.read() as Uint8Array | null;
    if (first !== null && !refuses(first)) body.unshift(first);
  }
  const { complete } = body as Partial<IncomingMessage>;
  if (body.readableEnded || complete === true) {
    if (refused === undefined) watcher.end?.();
    return;
  }
  const push = body.push.bind(body);
  body.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    // A body that was cut off must not end as if it were whole. A client of HTTP/1 reads its answer once it has sent all, so that is read.
    if (chunk === null ? refused !== undefined : refuses(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : (chunk as Uint8Array)))
      return complete !== undefined;
    if (chunk === null) watcher.end?.();
    return push(chunk, encoding);
  };
}
