import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const ending = new WeakSet<Duplex>();
const queues = new WeakMap<Duplex, Set<ServerResponse>>();

/** The answer to this request is the last on its connection: what comes behind it must not be processed (RFC 9112 9.6). */
export function endAfter({ socket }: { readonly socket: Duplex | null }): void {
  // A request that an app has given up (`for await`, pipeline) has no socket any more.
  if (socket !== null) ending.add(socket);
}

/** Whether an earlier request was the last that counts. Node hands out what a client has pipelined behind it all the same. */
export function isTooLate({ socket }: IncomingMessage): boolean {
  return ending.has(socket);
}

/**
 * Closes a response that waits for the one before it (pipelining) when the connection is gone: Node before 26 forgets it without a word, so that
 * its request would count as under way for ever.
 */
export function closeWithConnection({ socket }: IncomingMessage, response: ServerResponse): void {
  const queue = queues.get(socket) ?? queueOf(socket);
  queue.add(response);
  response.once('close', () => queue.delete(response));
}

function queueOf(socket: Duplex): Set<ServerResponse> {
  const queue = new Set<ServerResponse>();
  queues.set(socket, queue);
  socket.once('close', () => {
    for (const response of queue) {
      // Those that had their turn are closed by Node, and since 26 the others too.
      if (response.socket !== null || response.destroyed) continue;
      response.destroyed = true;
      response.emit('close');
    }
  });
  return queue;
}
