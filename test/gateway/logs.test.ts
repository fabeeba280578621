import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { Exchange } from '../../src/http/exchange.js';
import { Problem } from '../../src/http/problem.js';
import { GatewayLog, type GatewayLogOptions } from '../../src/observe/log.js';
import { FakeClock } from '../../src/testing/fakeClock.js';

type Line = Readonly<Record<string, unknown>>;

const exchange = (path: string = '/api/users/1'): Exchange => {
  const made = new Exchange({
    method: 'POST',
    path,
    query: '?token=secret',
    host: 'localhost',
    scheme: 'http',
    client: '10.0.0.1',
    peer: '10.0.0.1',
    trusted: false,
    headers: ['Authorization', 'Bearer secret'],
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
  });
  made.pattern = '/api/users/*';
  made.correlationId = 'abc-123-def';
  return made;
};

/** A log, and what it wrote. */
const logging = (options: Partial<GatewayLogOptions> = {}): { log: GatewayLog; lines: () => Line[]; text: () => string } => {
  let text = '';
  const clock = new FakeClock(Date.parse('2025-11-27T10:30:00.007Z'));
  const logger = { write: (line: string) => void (text += line) };
  const log = new GatewayLog({ level: 'info', access: 'all', clock, logger, ...options });
  const lines = (): Line[] =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  return { log, lines, text: () => text };
};

describe('the log', () => {
  test('a request is one line of JSON with the agreed names', () => {
    const { log, lines } = logging();
    log.request(exchange(), 200, 0.14523, 12);
    assert.deepEqual(lines(), [
      {
        level: 'INFO',
        timestamp: '2025-11-27T10:30:00.007Z',
        message: 'Request completed',
        correlation_id: 'abc-123-def',
        method: 'POST',
        path: '/api/users/1',
        status_code: 200,
        duration_ms: 145.23,
        endpoint: '/api/users/*',
        client: '10.0.0.1',
        bytes: 12,
      },
    ]);
  });

  test('what is known of the upstream, the cache, retries and the consumer stands in it too', () => {
    const { log, lines } = logging();
    const asked = exchange();
    Object.assign(asked, { server: 'http://b:1', cacheResult: 'miss', retries: 2 });
    asked.consumer = { id: 'ann', roles: [], scopes: [], tier: undefined, claims: {} };
    log.request(asked, 200, 0.1, 0);
    const { upstream, cache, retries, consumer } = lines()[0] as Line;
    assert.deepEqual({ upstream, cache, retries, consumer }, { upstream: 'http://b:1', cache: 'miss', retries: 2, consumer: 'ann' });
  });

  test('neither a query nor credentials are logged', () => {
    const { log, text } = logging();
    log.request(exchange(), 200, 9, 0, 1);
    log.problem(exchange(), new Problem('bad_gateway', { cause: new Error('reset') }));
    assert.doesNotMatch(text(), /secret/);
  });

  test('no path can forge a line', () => {
    for (const path of ['/a"b', '/a\\', '/a\n{"level":"ERROR"}', '/\u0000', '/ü\u2028', '/\ud800']) {
      const { log, lines, text } = logging();
      log.request(exchange(path), 200, 0.001, 0);
      assert.equal(text().split('\n').length, 2, JSON.stringify(path));
      assert.equal(lines()[0]?.['path'], path);
    }
  });

  test('a slow request gets one more line, a warning, from exactly its threshold on', () => {
    const { log, lines } = logging();
    log.request(exchange(), 200, 0.0999, 0, 100);
    log.request(exchange(), 200, 0.1, 0, 100);
    log.request(exchange(), 200, 5, 0);
    assert.deepEqual(
      lines().map(({ level, message }) => `${String(level)} ${String(message)}`),
      ['INFO Request completed', 'INFO Request completed', 'WARN Slow request', 'INFO Request completed'],
    );
  });

  test('`access: slow` keeps the lines of slow requests, `none` only their warnings', () => {
    const said = (access: 'slow' | 'none'): string[] => {
      const { log, lines } = logging({ access });
      log.request(exchange('/fast'), 200, 0.01, 0, 50);
      log.request(exchange('/slow'), 200, 0.06, 0, 50);
      log.request(exchange('/unwatched'), 200, 0.2, 0);
      return lines().map(({ level, path }) => `${String(level)} ${String(path)}`);
    };
    assert.deepEqual(said('slow'), ['INFO /slow', 'WARN /slow', 'INFO /unwatched']);
    assert.deepEqual(said('none'), ['WARN /slow']);
  });

  test('the level is kept for access lines as for all others', () => {
    const said = (level: 'warn' | 'error' | 'silent'): unknown[] => {
      const { log, lines } = logging({ level });
      log.request(exchange(), 200, 1, 0, 100);
      log.info('one');
      log.warn('two');
      log.error('three');
      return lines().map(({ message }) => message);
    };
    assert.deepEqual(said('warn'), ['Slow request', 'two', 'three']);
    assert.deepEqual(said('error'), ['three']);
    assert.deepEqual(said('silent'), []);
  });

  test('a WebSocket is logged at its close; with `access: slow` or `none` when it lasted as long as its threshold', () => {
    const end = { exchange: exchange('/ws'), seconds: 1.5, bytesUp: 1, bytesDown: 2, code: 4001, by: 'client' };
    const { log, lines } = logging();
    log.webSocket(end);
    const { message, status_code, duration_ms, close_code, closed_by, bytes_up, bytes_down } = lines()[0] as Line;
    assert.deepEqual(
      { message, status_code, duration_ms, close_code, closed_by, bytes_up, bytes_down },
      {
        message: 'WebSocket closed',
        status_code: 101,
        duration_ms: 1500,
        close_code: 4001,
        closed_by: 'client',
        bytes_up: 1,
        bytes_down: 2,
      },
    );
    const silent = logging({ access: 'none' });
    silent.log.webSocket(end);
    silent.log.webSocket(end, 1501);
    assert.deepEqual(silent.lines(), []);
    silent.log.webSocket(end, 1500);
    assert.equal(silent.lines().length, 1);
  });

  test('why a request failed is for the log: with a stack where it is a mistake of ours', () => {
    const { log, lines } = logging();
    const cause = new Error('no answer', { cause: new TypeError('connect ECONNREFUSED') });
    log.problem(exchange(), new Problem('bad_gateway', { cause }));
    log.problem(exchange(), new Problem('internal_server_error', { cause: new RangeError('oops') }));
    log.problem(exchange(), new Problem('not_found'));
    const [gateway, own, ...rest] = lines();
    assert.deepEqual([gateway?.['level'], gateway?.['error']], ['WARN', 'Error: no answer; because TypeError: connect ECONNREFUSED']);
    assert.equal(own?.['level'], 'ERROR');
    assert.match(String(own?.['error']), /^RangeError: oops\n\s+at /);
    assert.deepEqual(rest, []);
  });

  test("somebody else's logger gets the same fields, and what it throws is nobody's problem", () => {
    const calls: [string, object, string][] = [];
    const take =
      (level: string) =>
      (fields: object, message: string): void => {
        calls.push([level, fields, message]);
        throw new Error('broken');
      };
    const log = new GatewayLog({
      level: 'info',
      access: 'all',
      clock: new FakeClock(),
      logger: { info: take('info'), warn: take('warn'), error: take('error') },
    });
    const asked = exchange();
    Object.assign(asked, { server: 'http://b:1', cacheResult: 'hit', retries: 1 });
    asked.consumer = { id: 'ann', roles: [], scopes: [], tier: undefined, claims: {} };
    log.request(asked, 200, 0.2, 12, 100);
    assert.deepEqual(
      calls.map(([level, , message]) => `${level} ${message}`),
      ['info Request completed', 'warn Slow request'],
    );
    const { log: own, lines } = logging();
    own.request(asked, 200, 0.2, 12);
    const { level, timestamp, message, ...fields } = lines()[0] as Line;
    assert.ok(level && timestamp && message);
    assert.deepEqual(calls[0]?.[1], fields);
  });

  test('on standard output nothing is lost at the end, however fast the process exits, and nothing keeps it alive', () => {
    const script = (end: string): string => `
      import { LineWriter } from ${JSON.stringify(new URL('../../src/observe/lineWriter.js', import.meta.url).href)};
      const writer = new LineWriter(1);
      for (let i = 0; i < 20000; i++) writer.write(JSON.stringify({ i, text: 'x'.repeat(50) }) + '\\n');
      ${end}`;
    for (const end of [
      'process.exit(0)',
      '',
      'setImmediate(() => process.exit(0))',
      'process.stdout; writer.close(); writer.write("late")',
    ]) {
      const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script(end)], {
        encoding: 'utf8',
        timeout: 20_000,
        maxBuffer: 1 << 26,
      });
      assert.equal(status, 0);
      const numbers = stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { i: number }).i);
      assert.equal(numbers.length, 20_000, end);
      assert.equal(new Set(numbers).size, 20_000, end);
    }
  });

  test('a reader that goes away does not end the process', () => {
    const script = `
      import { LineWriter } from ${JSON.stringify(new URL('../../src/observe/lineWriter.js', import.meta.url).href)};
      const writer = new LineWriter(1);
      const timer = setInterval(() => { for (let i = 0; i < 500; i++) writer.write('x'.repeat(100) + '\\n'); }, 1);
      setTimeout(() => { clearInterval(timer); console.error('alive'); }, 300);`;
    const { stderr } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" --input-type=module -e '${script.replaceAll("'", `'\\''`)}' | head -n 1`],
      {
        encoding: 'utf8',
        timeout: 20_000,
      },
    );
    assert.match(stderr, /alive/);
    assert.doesNotMatch(stderr, /Error/);
  });
});
