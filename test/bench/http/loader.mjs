// node loader.mjs URL CONNECTIONS SECONDS: asks over raw connections, each again as soon as it has its answer.
import { connect } from 'node:net';

const [url, connections, seconds] = process.argv.slice(2);
const { hostname, port, pathname, host } = new URL(url);
const question = `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const times = [];
let bytes = 0;
let wrong = 0;
let over = false;

class Asker {
  constructor() {
    this.left = 0;
    this.head = '';
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.socket.on('connect', () => this.ask());
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('error', () => wrong++);
  }

  ask() {
    this.asked = performance.now();
    this.socket.write(question);
  }

  take(chunk) {
    bytes += chunk.length;
    if (this.left === 0) {
      this.head += chunk.latin1Slice(0, Math.min(chunk.length, 8192));
      const end = this.head.indexOf('\r\n\r\n');
      if (end === -1) return;
      if (!this.head.startsWith('HTTP/1.1 200')) wrong++;
      const length = /\r\ncontent-length: (\d+)/i.exec(this.head.slice(0, end))?.[1];
      if (length === undefined) throw new Error('an answer without a length');
      this.left = Number(length) - (chunk.length - (end + 4));
      this.head = '';
    } else this.left -= chunk.length;
    if (this.left > 0) return;
    this.left = 0;
    times.push(performance.now() - this.asked);
    if (!over) this.ask();
  }
}

const askers = Array.from({ length: Number(connections) }, () => new Asker());
setTimeout(
  () => {
    over = true;
    for (const { socket } of askers) socket.destroy();
    times.sort((a, b) => a - b);
    const at = (part) => times[Math.floor(times.length * part)] ?? 0;
    console.log(JSON.stringify({ requests: times.length, bytes, p50: at(0.5), p99: at(0.99), wrong }));
  },
  1000 * Number(seconds),
);
