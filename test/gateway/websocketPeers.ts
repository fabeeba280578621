import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { WebSocket } from 'ws';

/** The code and the reason of a close. */
export async function closing(socket: WebSocket): Promise<[code: number, reason: string]> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return [code, reason.toString()];
}

/** An upstream of bare bytes: it answers 101, then `talk` has the connection. */
export async function rawUpstream(test: TestContext, talk: (socket: Socket) => void, head: string = ''): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${head}`, 'latin1');
      talk(socket);
    });
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** The closes and messages that an upstream saw. */
export class Seen {
  readonly messages: string[] = [];
  readonly codes: number[] = [];

  readonly talk = (socket: WebSocket): void => {
    socket.on('message', (data: Buffer) => this.messages.push(data.toString()));
    socket.on('close', (code) => this.codes.push(code));
    socket.on('error', () => undefined);
    socket.send('hello');
  };
}

/** Reads the frames that came after a head: opcode and payload of each, and the code of close frames. */
export function frames(received: Buffer): string[] {
  const found: string[] = [];
  for (let at = received.indexOf('\r\n\r\n') + 4; at + 1 < received.length;) {
    const length = (received[at + 1] as number) & 127;
    const payload = received.subarray(at + 2, at + 2 + length);
    found.push(((received[at] as number) & 15) === 8 ? `close ${payload.readUInt16BE(0)}` : payload.toString());
    at += 2 + length;
  }
  return found;
}
