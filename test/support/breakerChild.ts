import { Redis } from 'ioredis';
import { Premier } from 'premier';
import { redis } from 'premier/redis';

/** A process that trips a shared circuit, and says when it probes. Its probe never ends. */
const [, , url = '', keyspace = ''] = process.argv;
const premier = new Premier({ keyspace, provider: redis({ client: new Redis(url), deadline: 5 }) });
let healthy = false;
premier.on('circuitHalfOpened', () => (healthy = true));
const call = premier.circuitBreaker({ shared: true, name: 'shop', failureThreshold: 3, recoveryTimeout: 1 })(async function call() {
  if (!healthy) throw new Error('no');
  process.send?.('probing');
  return new Promise(() => undefined);
});
setInterval(() => void call().catch(() => undefined), 20);
