// npx tsc -p docs/examples/express && node .build/examples/express/main.js
// curl -i http://127.0.0.1:3000/weather/52.52/13.41
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { app } from './app.js';
import { premier } from './premier.js';

const server = createServer(app).listen(Number(process.env['PORT'] ?? 3000));
await once(server, 'listening');
console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);

process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());

/** Running requests are answered first, for ten seconds at most. Then nothing keeps the process alive. */
async function stop(): Promise<void> {
  server.close();
  setTimeout(() => server.closeAllConnections(), 10_000).unref();
  await once(server, 'close');
  await premier.close();
}
