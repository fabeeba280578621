import type { Duplex } from 'node:stream';
import { after, type Clock } from '../../core/clock.js';

/** How long the other side may take to close a connection that is over. */
export const lingerMs = 2000;

/**
 * Ends a connection so that the last bytes arrive: one that is closed while it has unread data is reset, and that can take from the client
 * what it has not read yet (RFC 9112 9.6). So what still comes is dropped until the other side closes too, for a while.
 */
export function lingeringEnd(socket: Duplex, clock: Clock): void {
  if (socket.destroyed) return;
  let moved = socket.writableLength;
  const expire = (): void => {
    // A client that still reads gets the rest.
    if (socket.writableLength === 0 || socket.writableLength === moved) socket.destroy();
    else {
      moved = socket.writableLength;
      timer = after(clock, lingerMs, expire);
    }
  };
  let timer = after(clock, lingerMs, expire);
  socket.once('close', () => timer.clear());
  socket.end();
  socket.resume();
}
