import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { open, others } from './processes.mjs';

/** What a server holds for clients that ask for much and read nothing. */
export async function slowReaders(names, { clients = 100, ms = 3000 } = {}) {
  const backend = await open('backend', { core: others });
  const entries = [];
  try {
    for (const name of names) {
      const server = await open(name, { target: backend.url });
      const { rss } = await server.usage();
      const sockets = [];
      for (let i = 0; i < clients; i++) {
        const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
        socket.on('error', () => socket.destroy());
        await once(socket, 'connect');
        socket.write('GET /big HTTP/1.1\r\nHost: slow\r\n\r\n');
        sockets.push(socket);
      }
      await wait(ms);
      entries.push({ name, idle: rss, peak: (await server.usage()).peak });
      for (const socket of sockets) socket.destroy();
      await server.close();
    }
    return entries;
  } finally {
    await backend.close();
  }
}
