import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { after, before, describe, test, type TestContext } from 'node:test';
import { type RedisServer, startRedis, until } from '../support/redisServer.js';

const folder = `.build/twoBookshops-${process.pid}`;
const isbn = '9780141439518';
const timeout = 30_000;

/** A bookshop in a process of its own, on a port of its own. */
interface Shop {
  readonly child: ChildProcess;
  readonly url: string;
  readonly said: { out: string; err: string };
}

async function openShop(t: TestContext, redisUrl: string): Promise<Shop> {
  const child = spawn(process.execPath, [`${folder}/main.js`], { env: { ...process.env, PORT: '0', REDIS_URL: redisUrl } });
  t.after(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
  await until('the shop to open', async () => /circuit-breakers\n/.test(said.out));
  assert.match(said.out, /both share their state through Redis/);
  const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(said.out) ?? [];
  return { child, said, url: url as string };
}

async function twoShops(t: TestContext) {
  const server = await startRedis();
  t.after(() => server.stop());
  return { server, shops: [await openShop(t, server.url), await openShop(t, server.url)] as const };
}

/** A book by its ISBN. Both gateways are asked under one name, as behind a load balancer. */
async function get({ url }: Shop, book: string, headers: OutgoingHttpHeaders = {}): Promise<IncomingMessage> {
  const [answer] = (await once(request(`${url}/books/${book}`, { headers: { host: 'shop.example', ...headers } }).end(), 'response')) as [
    IncomingMessage,
  ];
  await once(answer.resume(), 'end');
  return answer;
}

const find = async (shop: Shop, book = isbn): Promise<number | undefined> => (await get(shop, book)).statusCode;

async function order({ url }: Shop): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  return (await fetch(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify({ isbn }) })).status;
}

/** Both leave with 0 as soon as they are asked to, whatever Redis does: sooner than any client gives up by itself. */
async function closeShops(shops: readonly Shop[]): Promise<void> {
  const gone = shops.map(({ child }) => once(child, 'close'));
  const started = performance.now();
  for (const { child } of shops) child.kill('SIGTERM');
  const ends = await Promise.all(gone);
  const took = performance.now() - started;
  assert.deepEqual(
    ends,
    shops.map(() => [0, null]),
  );
  assert.ok(took < 5000, `they took ${took} ms to leave`);
  for (const { said } of shops) assert.equal(said.err, '');
}

/** Waits for the line of an event. */
const untilSaid = (shop: Shop, wanted: RegExp): Promise<void> =>
  until(`a shop to say ${wanted.source}`, async () => wanted.test(shop.said.out));

describe('two bookshops on one Redis', () => {
  before(() => execFileSync('node_modules/.bin/tsc', ['-p', 'docs/examples/bookshop', '--outDir', folder], { stdio: 'inherit' }));
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('count orders together, and know the books that the other one has found', { timeout }, async (t) => {
    const { shops } = await twoShops(t);
    const [one, two] = shops;
    assert.equal(await find(one), 200);
    await until("the other gateway to know the first one's answer", async () => {
      const answer = await get(two, isbn, { 'cache-control': 'only-if-cached' });
      return answer.statusCode === 200 && answer.headers['x-cache'] === 'HIT';
    });
    assert.equal(await order(two), 201);
    await untilSaid(one, /miss +Catalog\.find/);
    await untilSaid(two, /hit +Catalog\.find/);
    assert.doesNotMatch(two.said.out, /miss +Catalog/);

    const statuses = [await order(one), await order(two), await order(one), await order(two)];
    assert.deepEqual(statuses, [201, 201, 429, 429], one.said.out + two.said.out);
    await closeShops(shops);
  });

  const outages: Record<string, (server: RedisServer) => unknown> = {
    'is killed': (server) => server.kill(),
    hangs: (server) => server.freeze(),
  };
  for (const [what, breaks] of Object.entries(outages)) {
    test(`go on alone when Redis ${what}, and close when they are told to`, { timeout }, async (t) => {
      const { server, shops } = await twoShops(t);
      for (const shop of shops) assert.equal(await find(shop), 200);
      await breaks(server);
      const goOn = async (shop: Shop): Promise<void> => {
        assert.equal(await find(shop, '9780441172719'), 200);
        assert.deepEqual([await order(shop), await order(shop), await order(shop), await order(shop)], [201, 201, 201, 429]);
        await untilSaid(shop, /store down +premier/);
      };
      await Promise.all(shops.map(goOn));
      await closeShops(shops);
    });
  }

  test('work together again when Redis is back', { timeout }, async (t) => {
    const { server, shops } = await twoShops(t);
    const [one, two] = shops;
    assert.equal(await find(one), 200);
    await server.kill();
    assert.equal(await find(one, '9780441172719'), 200);
    await untilSaid(one, /store down/);
    await server.restart();
    await untilSaid(one, /store up/);
    assert.equal(await find(one, '9780547928227'), 200);
    await until('the other shop to know the book', async () => {
      const answer = await get(two, '9780547928227');
      assert.equal(answer.statusCode, 200);
      return answer.headers['x-cache'] === 'HIT';
    });
    await closeShops(shops);
  });
});
