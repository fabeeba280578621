// What all proxies stand in front of: as little work as an HTTP server can do, so that it never is what limits them.
import { createServer } from 'node:net';

const head = (length) =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nCache-Control: max-age=86400\r\n` +
  `ETag: "one"\r\nDate: ${new Date().toUTCString()}\r\nConnection: keep-alive\r\n\r\n`;

const bigLength = 10 * 1024 * 1024;
let small;
let bigHead;
const print = () => {
  small = Buffer.from(head(1024) + 'x'.repeat(1024));
  bigHead = Buffer.from(head(bigLength));
};
print();
setInterval(print, 1000).unref();
const piece = Buffer.alloc(65_536, 'x');

/** Writes 10 MB no faster than they are read. */
function sendBig(socket) {
  let left = bigLength;
  socket.write(bigHead);
  const more = () => {
    while (left > 0) {
      const part = left < piece.length ? piece.subarray(0, left) : piece;
      left -= part.length;
      if (!socket.write(part)) return void socket.once('drain', more);
    }
  };
  more();
}

export const backend = () =>
  new Promise((resolve) => {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      let rest = '';
      socket.on('data', (chunk) => {
        rest += chunk.latin1Slice(0, chunk.length);
        for (let end = rest.indexOf('\r\n\r\n'); end !== -1; end = rest.indexOf('\r\n\r\n')) {
          if (rest.startsWith('GET /big ')) sendBig(socket);
          else socket.write(small);
          rest = rest.slice(end + 4);
        }
      });
    });
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
