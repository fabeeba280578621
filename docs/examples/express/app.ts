import { randomUUID } from 'node:crypto';
import express, { type ErrorRequestHandler, type Express } from 'express';
import { cache, errors, policies } from 'premier/express';
import { forecasts } from './forecasts.js';
import { premier, shared } from './premier.js';

/** The weather by HTTP. Each route has policies of its own. */
export const app: Express = express();
app.disable('x-powered-by');

// Kept for a minute. When the weather service is down, the last weather is better than none.
const kept = cache({ expireS: 60, staleIfErrorS: '1h' }, { ...shared, name: 'weather' });

app.get('/weather/:latitude/:longitude', kept, async (request, response) => {
  const latitude = degrees(request.params['latitude'], 90);
  const longitude = degrees(request.params['longitude'], 180);
  response.json(await forecasts.now(latitude, longitude));
});

// Two alerts in ten seconds for each client, a hundred in a day, and no long bodies.
const sparing = policies(
  {
    rateLimit: {
      limits: [
        { quota: 2, duration: '10s' },
        { quota: 100, duration: '1d' },
      ],
    },
    bodyLimit: { maxBytes: 1000 },
  },
  { ...shared, name: 'alerts' },
);

app.post('/alerts', sparing, express.json(), (request, response) => {
  response.status(201).json({ id: randomUUID(), alert: request.body as unknown });
});

app.get('/health', (_request, response) => {
  const open = premier.breakers.filter(({ state }) => state === 'open').map(({ name }) => name);
  response.json({ status: open.length === 0 ? 'healthy' : 'degraded', open });
});

/** Answers what is left, and shows a client no more than it may read. */
const others: ErrorRequestHandler = (error: { status?: number; expose?: boolean; message: string }, _request, response, next) => {
  if (response.headersSent) return next(error);
  const { status = 500, expose = false, message } = error;
  if (!expose) console.error(error);
  response.status(status).json({ error: { message: expose ? message : 'something went wrong here' } });
};

app.use(errors()); // 429, 503 and 504 for the errors of decorators, with Retry-After
app.use(others);

function degrees(given: string | undefined, most: number): number {
  const number = Number(given);
  if (Math.abs(number) <= most) return number;
  throw Object.assign(new Error(`degrees go from -${most} to ${most}`), { status: 400, expose: true });
}
