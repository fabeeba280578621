// npx tsc -p docs/examples/hono && node .build/examples/hono/main.js
// curl -i http://127.0.0.1:3000/badge/honojs/hono
import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { app } from './app.js';
import { premier } from './premier.js';

const server = serve({ fetch: app.fetch, port: Number(process.env['PORT'] ?? 3000) }, ({ port }) => {
  console.log(`http://127.0.0.1:${port}`);
});

process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());

/** Running requests are answered first. Then nothing keeps the process alive. */
async function stop(): Promise<void> {
  server.close();
  await once(server, 'close');
  await premier.close();
}
