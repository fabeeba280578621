import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { memory, Premier, tiered } from 'premier';
import { createGateway, GatewayConfig } from 'premier/gateway';
import { redis } from 'premier/redis';
import { makeBookshop } from './app.js';
import { line } from './log.js';
import { cellarIsbn, makeSupplier } from './supplier.js';

// With Redis, shops on several ports or hosts share their books, limits and circuits. Books that were read lately stay in memory too.
const redisUrl = process.env['REDIS_URL'];
const provider = redisUrl ? tiered({ local: memory(), remote: redis({ url: redisUrl }) }) : memory();
const premier = new Premier({ keyspace: 'bookshop', provider });
premier.on('*', (event) => console.log(line(event)));

// Three servers: the supplier, the shop that asks it, and the gateway in front of the shop.
const supplier = makeSupplier();
const shop = createServer(makeBookshop({ premier, supplierUrl: await listen(supplier) }));
const file = 'docs/examples/gateway.yaml';
const env = { ...process.env, BOOKSHOP_URL: await listen(shop) };
const config = GatewayConfig.fromFile(file, { env, watch: true });
const gateway = await createGateway(config, redisUrl ? { provider } : {});

const wanted = Number(process.env['PORT'] || '8000');
try {
  const { url } = await gateway.listen({ port: wanted });
  console.log(whatToTry(url));
} catch (error) {
  console.error(`Port ${wanted} cannot be listened on (${(error as Error).message}); try another one: PORT=8080 npm start`);
  process.exit(1);
}

process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());

/** Lets running requests finish; then nothing keeps the process alive. */
async function stop(): Promise<void> {
  await gateway.close();
  for (const server of [shop, supplier]) {
    server.close();
    server.closeAllConnections();
  }
  await premier.close();
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function whatToTry(url: string): string {
  const isbn = '9780141439518';
  const state = redisUrl ? 'share their state through Redis' : 'keep their state in memory (REDIS_URL is not set)';
  return `The gateway listens on ${url}, in front of a bookshop; both ${state}.
What it does stands in ${file}: change it while it runs. Things to try in another terminal:

# A book twice: a miss, then a hit in the gateway's cache
for n in 1 2; do curl -si ${url}/books/${isbn} | ${show('x-cache', 'ratelimit:', 'isbn')}; done

# Four orders, and the shop takes three in ten seconds: 429
for n in 1 2 3 4; do curl -si -H 'content-type: application/json' -d '{"isbn":"${isbn}"}' ${url}/orders | ${show('retry-after')}; done

# A book that the supplier is slow to find: tried again, 504, then a circuit is open (503)
for n in 1 2 3; do curl -si ${url}/books/${cellarIsbn} | ${show('retry-after')}; done

# How it is, what it counts, and its circuits
curl -s ${url}/health; curl -s ${url}/metrics | grep ^http_requests_total; curl -s ${url}/circuit-breakers
`;
}

function show(...fields: string[]): string {
  return `grep -iE '^HTTP|${fields.join('|')}'`;
}
