import fastify, { type FastifyInstance } from 'fastify';
import { errors, gateway, policies } from 'premier/fastify';
import { premier, provider } from './premier.js';
import { bank } from './rates.js';

/** Currencies by HTTP, with a gateway in front: it limits every path, and answers /health and /metrics. */
export async function makeApp(): Promise<FastifyInstance> {
  const app = fastify();
  // 429, 503 and 504 for the errors of decorators, with Retry-After. Fastify answers all others.
  app.setErrorHandler(errors);

  const rateLimit = { quota: 100, duration: '1m' };
  await app.register(gateway, {
    provider,
    config: {
      keyspace: 'money-gateway',
      paths: [{ pattern: '/rates/*', features: { rateLimit, cache: { expireS: 60 } } }],
      defaultFeatures: { rateLimit },
    },
  });

  const code = { type: 'string', pattern: '^[A-Z]{3}$' };

  app.get<{ Params: { base: string } }>(
    '/rates/:base',
    { schema: { params: { type: 'object', properties: { base: code } } } },
    async ({ params }, reply) => (await bank.ratesOf(params.base)) ?? reply.callNotFound(),
  );

  // A route's own policies come beside those of the gateway.
  const sparing = policies({ rateLimit: { quota: 3, duration: '10s' } }, { provider, keyspace: 'money', name: 'convert' });
  const properties = { amount: { type: 'number' }, from: code, to: code };

  app.get<{ Querystring: { amount: number; from: string; to: string } }>(
    '/convert',
    { onRequest: sparing, schema: { querystring: { type: 'object', required: ['amount', 'from', 'to'], properties } } },
    async ({ query: { amount, from, to } }, reply) => {
      const found = await bank.ratesOf(from);
      const rate = found?.rates[to];
      return rate === undefined ? reply.callNotFound() : { amount: amount * rate, date: found?.date };
    },
  );

  // The gateway closes with the app, and what both keep their state in comes last.
  app.addHook('onClose', () => premier.close());
  return app;
}
