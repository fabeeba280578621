import { type Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { policies, rateLimit, refusal } from 'premier/hono';
import { premier } from './premier.js';
import { repos } from './repos.js';

/** The stars of repositories, as JSON and as a badge. Whatever calls `fetch(request)` can run it. */
export const app = new Hono();

// Each route has policies of its own. On an edge that tells no address, `{ client }` says where the client's stands.
app.get('/stars/:owner/:name', rateLimit({ quota: 3, duration: '10s' }), async (context) =>
  context.json({ stars: await starsOf(context.req.param('owner'), context.req.param('name')) }),
);

// A page full of badges asks often: they are kept, and nobody waits long for one.
app.get('/badge/:owner/:name', policies({ cache: { expireS: 60, staleS: 30 }, timeout: '2s' }), async (context) => {
  const stars = await starsOf(context.req.param('owner'), context.req.param('name'));
  const badge = `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="20"><text x="4" y="14">★ ${stars}</text></svg>`;
  return context.body(badge, 200, { 'content-type': 'image/svg+xml' });
});

app.get('/health', (context) => {
  const open = premier.breakers.filter(({ state }) => state === 'open').map(({ name }) => name);
  return context.json({ status: open.length === 0 ? 'healthy' : 'degraded', open });
});

app.onError((error, context) => {
  if (error instanceof HTTPException) return error.getResponse();
  // 429, 503 and 504 for the errors of decorators, with Retry-After.
  return refusal(error) ?? failed(error, context);
});

/** What a client need not know stands in the log. */
function failed(error: Error, context: Context): Response {
  console.error(error);
  return context.json({ error: { message: 'something went wrong here' } }, 500);
}

async function starsOf(owner: string, name: string): Promise<number> {
  if (![owner, name].every((part) => /^[\w.-]+$/.test(part))) throw new HTTPException(400, { message: 'no such name' });
  const stars = await repos.stars(owner, name);
  if (stars === undefined) throw new HTTPException(404, { message: 'no such repository' });
  return stars;
}

export default app;
