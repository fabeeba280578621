import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { memory, Premier, tiered } from 'premier';
import { redis } from 'premier/redis';
import { makeBookshop } from './app.js';
import { line } from './log.js';
import { cellarIsbn, makeSupplier } from './supplier.js';

// With Redis, shops on several ports or hosts share their books, limits and circuits. Books that were read lately stay in memory too.
const redisUrl = process.env['REDIS_URL'];
const provider = redisUrl ? tiered({ local: memory(), remote: redis({ url: redisUrl }) }) : memory();
const premier = new Premier({ keyspace: 'bookshop', provider });
premier.on('*', (event) => console.log(line(event)));

const supplier = makeSupplier();
const supplierPort = await listen(supplier, 0, '127.0.0.1');
const shop = createServer(makeBookshop({ premier, supplierUrl: `http://127.0.0.1:${supplierPort}` }));

const wanted = process.env['PORT'] || '8000';
try {
  const port = await listen(shop, Number(wanted));
  console.log(whatToTry(`http://localhost:${port}`));
} catch (error) {
  const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  console.error(`Port ${wanted} ${inUse ? 'is in use' : 'cannot be listened on'}; try another one: PORT=8080 npm start`);
  process.exit(1);
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);

/** Lets running requests finish; then nothing keeps the process alive. */
function stop(): void {
  // A millisecond: connections that are busy now do not linger after their answer.
  shop.keepAliveTimeout = 1;
  shop.close(async () => {
    supplier.close();
    supplier.closeAllConnections();
    await premier.close();
  });
}

async function listen(server: Server, port: number, host?: string): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function whatToTry(url: string): string {
  const isbn = '9780141439518';
  const withStatus = `curl -s -w ' %{http_code}\\n'`;
  const state = redisUrl ? 'shares its state through Redis' : 'keeps its state in memory (REDIS_URL is not set)';
  return `The bookshop listens on ${url} and ${state}. Three things to try in another terminal:

# A book twice: a miss, then a hit
for n in 1 2; do ${withStatus} ${url}/books/${isbn}; done

# Four orders, and the quota is three in ten seconds: 429
for n in 1 2 3 4; do ${withStatus} -H 'content-type: application/json' -d '{"isbn":"${isbn}"}' ${url}/orders; done

# A book that the supplier is slow to find: retried, timed out (504), then the circuit is open (503)
for n in 1 2 3; do ${withStatus} ${url}/books/${cellarIsbn}; done
`;
}
