// npx tsc -p docs/examples/fastify && node .build/examples/fastify/main.js
// curl -i 'http://127.0.0.1:3000/convert?amount=10&from=EUR&to=USD'
import { makeApp } from './app.js';

const app = await makeApp();
console.log(await app.listen({ port: Number(process.env['PORT'] ?? 3000) }));

// Running requests are answered first. Then nothing keeps the process alive.
process.once('SIGTERM', () => void app.close());
process.once('SIGINT', () => void app.close());
