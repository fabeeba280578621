import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, describe, test, type TestContext } from 'node:test';
import { Premier } from 'premier';
import { FakeClock } from 'premier/testing';
import { makeBookshop } from '../../docs/examples/bookshop/app.js';
import { line } from '../../docs/examples/bookshop/log.js';
import { cellarIsbn, makeSupplier, type Mood, moody } from '../../docs/examples/bookshop/supplier.js';

const isbn = '9780141439518';

async function listen(t: TestContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A Premier on a clock that stands still, but for the waits between attempts: nothing times out because the machine is busy. */
function impatient() {
  const clock = new FakeClock();
  const premier = new Premier({ clock });
  premier.on('retried', ({ wait }) => setImmediate(() => void clock.advance(wait)));
  return { clock, premier };
}

/** A shop and its supplier behind real sockets. A request that the supplier leaves waiting moves the clock past its timeout. */
async function openShop(t: TestContext, mood: (request: number) => Mood = () => 'well') {
  const { clock, premier } = impatient();
  const lines: string[] = [];
  premier.on('*', (event) => lines.push(line(event).slice('00:00:00  '.length).replace(/ {2,}/g, ' | ')));

  const asked: string[] = [];
  const supplier = makeSupplier(() => mood(asked.length));
  supplier.prependListener('request', (request: { url: string }) => asked.push(request.url));
  supplier.on('request', (_request, response: { writableEnded: boolean }) => {
    if (!response.writableEnded) void clock.advance(0.5);
  });
  const url = await listen(t, createServer(makeBookshop({ premier, supplierUrl: await listen(t, supplier) })));

  const call = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(url + path, init);
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
    return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
  };
  const order = (body: string) => call('/orders', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return { call, order, clock, lines, asked };
}

describe('the bookshop', () => {
  test('asks the supplier for a book once: a miss, then a hit', async (t) => {
    const { call, asked, lines } = await openShop(t);
    const first = await call(`/books/${isbn}`);
    assert.deepEqual(first.body, { isbn, title: 'Pride and Prejudice', author: 'Jane Austen' });
    assert.deepEqual((await call('/books/978-0-14-143951-8')).body, first.body);
    assert.deepEqual(asked, [`/books/${isbn}`]);
    assert.deepEqual(lines, [`miss | Catalog.find | ${isbn}`, `hit | Catalog.find | ${isbn}`]);
  });

  test('asks the supplier once for a book that many want at the same time', async (t) => {
    const { call, asked } = await openShop(t);
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(`/books/${isbn}`)));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.equal(asked.length, 1);
  });

  test('answers the fourth order in ten seconds with 429 and when to come back, and takes it then', async (t) => {
    const { order, clock, lines } = await openShop(t);
    const body = JSON.stringify({ isbn });
    for (let i = 0; i < 3; i++) assert.equal((await order(body)).status, 201);
    const refused = await order(body);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '10');
    assert.equal(refused.body['error'], 'PREMIER_QUOTA_EXCEEDED');
    assert.match(String(refused.body['message']), /quota of 3 per 10 s/);
    assert.match(lines.at(-1) ?? '', /^throttled \| placeOrder \| .*127\.0\.0\.1, free again in 10\.0 s$/);
    await clock.advance(10);
    assert.equal((await order(body)).status, 201);
  });

  test('tries again when the supplier fails, and the client sees nothing of it', async (t) => {
    const { call, asked, lines } = await openShop(t, (request) => (request === 1 ? 'failing' : 'well'));
    assert.equal((await call(`/books/${isbn}`)).status, 200);
    assert.equal(asked.length, 2);
    assert.equal(lines.at(-1), 'retried | Catalog.find | attempt 1 failed (the supplier answered 503), next in 0.1 s');
  });

  test('sends an order again under the same id', async (t) => {
    const { order, asked, lines } = await openShop(t, (request) => (request === 2 ? 'slow' : 'well'));
    const { status, body } = await order(JSON.stringify({ isbn }));
    assert.equal(status, 201);
    assert.deepEqual(asked, [`/books/${isbn}`, `/orders/${String(body['id'])}`, `/orders/${String(body['id'])}`]);
    assert.deepEqual(lines.slice(1), [
      'timed out | sendOrder | after 0.5 s',
      'retried | sendOrder | attempt 1 failed (sendOrder took longer than 0.5 s), next in 0.1 s',
    ]);
  });

  test('answers 504 when the supplier is slow, 503 once the circuit is open, and recovers', async (t) => {
    const { call, asked, clock, lines } = await openShop(t);
    const slow = await call(`/books/${cellarIsbn}`);
    assert.equal(slow.status, 504);
    assert.deepEqual(slow.body, { error: 'PREMIER_TIMEOUT', message: 'Catalog.find took longer than 0.5 s' });
    assert.equal((await call(`/books/${cellarIsbn}`)).status, 504);
    assert.equal(asked.length, 6);

    const open = await call(`/books/${isbn}`);
    assert.equal(open.status, 503);
    assert.equal(open.headers.get('retry-after'), '5');
    assert.equal(open.body['error'], 'PREMIER_CIRCUIT_OPEN');
    assert.equal(asked.length, 6);
    const seen = lines.map((one) => one.split(' | ')[0]);
    const attempts = ['miss', 'timed out', 'retried', 'timed out', 'retried', 'timed out', 'gave up'];
    assert.deepEqual(seen, [...attempts, ...attempts, 'circuit opened', 'miss', 'circuit refused']);

    await clock.advance(5);
    assert.equal((await call(`/books/${isbn}`)).status, 200);
    const after = lines.slice(seen.length).map((one) => one.split(' | ')[0]);
    assert.deepEqual(after, ['miss', 'circuit half-open', 'circuit closed']);
  });

  test('answers 502 when the supplier keeps failing', async (t) => {
    const { call } = await openShop(t, () => 'failing');
    const { status, body } = await call(`/books/${isbn}`);
    assert.equal(status, 502);
    assert.deepEqual(body, { error: 'SUPPLIER_FAILED', message: 'the supplier answered 503' });
  });

  test('answers 502 when the supplier hangs up', async (t) => {
    const { premier } = impatient();
    // A port that was closed could be given to the shop itself, or to another test: this one stays taken, and nobody answers there.
    const gone = createServer();
    gone.on('connection', (socket) => socket.destroy());
    const supplierUrl = await listen(t, gone);
    const url = await listen(t, createServer(makeBookshop({ premier, supplierUrl })));
    const response = await fetch(`${url}/books/${isbn}`);
    assert.equal(response.status, 502);
    assert.deepEqual(await response.json(), { error: 'SUPPLIER_UNREACHABLE', message: 'the supplier cannot be reached' });
  });

  test('answers every mistake of a client as JSON, and asks no supplier', async (t) => {
    const { call, order, asked } = await openShop(t);
    const answers = [
      [await call('/books/12'), 400, 'ISBN_INVALID'],
      [await call('/books/9780141439519'), 400, 'ISBN_INVALID'],
      [await call('/books/%E0%A4%A'), 400, 'REQUEST_INVALID'],
      [await call(`/books/${isbn}`, { method: 'DELETE' }), 405, 'METHOD_NOT_ALLOWED'],
      [await call('/orders'), 405, 'METHOD_NOT_ALLOWED'],
      [await call('/nowhere'), 404, 'ROUTE_UNKNOWN'],
      [await order('{"isbn":'), 400, 'REQUEST_INVALID'],
      [await order('{}'), 400, 'ISBN_INVALID'],
      [await call('/orders', { method: 'POST' }), 400, 'ISBN_INVALID'],
    ] as const;
    for (const [{ status, body }, wanted, error] of answers) {
      assert.deepEqual([status, body['error']], [wanted, error]);
      assert.doesNotMatch(JSON.stringify(body), /\.js|node:|at /);
    }
    assert.equal(answers[3][0].headers.get('allow'), 'GET, HEAD');
    assert.deepEqual(asked, []);
  });

  test('answers 404 for a book that the supplier does not have, and remembers it', async (t) => {
    const { call, asked } = await openShop(t);
    for (let i = 0; i < 2; i++) assert.equal((await call('/books/9780306406157')).status, 404);
    assert.equal(asked.length, 1);
  });

  test('shows a client nothing of an error that nobody foresaw', async (t) => {
    const shown = t.mock.method(console, 'error', () => undefined);
    const { premier } = impatient();
    const supplierUrl = await listen(
      t,
      createServer((_request, response) => void response.end('<html>')),
    );
    const url = await listen(t, createServer(makeBookshop({ premier, supplierUrl })));
    const response = await fetch(`${url}/books/${isbn}`);
    assert.equal(response.status, 500);
    assert.deepEqual(await response.json(), { error: 'INTERNAL', message: 'something went wrong here' });
    assert.equal(shown.mock.callCount(), 1);
  });
});

test('the supplier is slow and failing now and then, but never twice in a row', () => {
  const dice = [0.1, 0.1, 0.3, 0.3, 0.9];
  const mood = moody(() => dice.shift() ?? 0);
  assert.deepEqual([mood(), mood(), mood(), mood(), mood()], ['slow', 'well', 'failing', 'well', 'well']);
});

describe('npm start', () => {
  before(() => execFileSync('node_modules/.bin/tsc', ['-p', 'docs/examples/bookshop'], { stdio: 'inherit' }));

  const start = (t: TestContext, port: string) => {
    const child = spawn(process.execPath, ['.build/bookshop/main.js'], { env: { ...process.env, PORT: port } });
    t.after(() => child.kill('SIGKILL'));
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
    return { child, said };
  };
  const untilSaid = async ({ child, said }: { child: ChildProcess; said: { out: string } }, wanted: RegExp) => {
    while (!wanted.test(said.out)) await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
  };

  test('prints what to try, a line for each event, and leaves with 0 on SIGTERM', { timeout: 20_000 }, async (t) => {
    const shop = start(t, '0');
    await untilSaid(shop, /circuit-breakers\n/);
    const tries = shop.said.out.split('\n').filter((text) => text.includes('curl'));
    assert.equal(tries.length, 4);
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(shop.said.out) ?? [];
    const find = async (): Promise<readonly unknown[]> => {
      const answer = await fetch(`${url}/books/${isbn}`);
      return [answer.status, answer.headers.get('x-cache')];
    };
    assert.deepEqual(
      [await find(), await find()],
      [
        [200, 'MISS'],
        [200, 'HIT'],
      ],
    );
    await untilSaid(shop, /\d\d:\d\d:\d\d {2}miss +Catalog\.find/);
    await untilSaid(shop, /"endpoint":"\/books\/\*".*"cache":"hit"/);
    shop.child.kill('SIGTERM');
    assert.deepEqual(await once(shop.child, 'close'), [0, null]);
    assert.equal(shop.said.err, '');
  });

  test('runs each line that it prints', { timeout: 60_000 }, async (t) => {
    const shop = start(t, '0');
    await untilSaid(shop, /circuit-breakers\n/);
    const tries = shop.said.out.split('\n').filter((text) => text.includes('curl'));
    const said = tries.map((line) => execFileSync('bash', ['-c', line], { encoding: 'utf8' }));
    assert.match(said[0] as string, /MISS[^]*HIT/);
    assert.match(said[1] as string, /201 Created[^]*429 Too Many Requests\r?\nretry-after: \d+/i);
    assert.match(said[2] as string, /HTTP\/1\.1 50[34]/);
    assert.match(said[3] as string, /"status":"healthy"[^]*http_requests_total\{[^]*\/books\/\*/);
  });

  test('says in one line that the port is in use, and leaves with 1', { timeout: 20_000 }, async (t) => {
    const other = createServer().listen(0);
    await once(other, 'listening');
    t.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    const { child, said } = start(t, String(port));
    assert.deepEqual(await once(child, 'close'), [1, null]);
    assert.match(said.err, new RegExp(`^Port ${port} cannot be listened on .*; try another one: PORT=8080 npm start\\n$`));
  });
});
