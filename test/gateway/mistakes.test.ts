import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, describe, test } from 'node:test';
import { type CreateOptions, createGateway, GatewayConfig } from '../../src/gateway/index.js';

const quiet = { write: () => undefined } as unknown as NonNullable<CreateOptions['logger']>;
const app = (): void => undefined;

/** What the configuration in a text is refused for. */
function faultsOf(text: string): string {
  try {
    GatewayConfig.fromText(text, { source: 'f' });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

/** What is told about a configuration that is taken. */
function warningsOf(paths: string): readonly string[] {
  const { warnings } = GatewayConfig.fromText(`premier:\n  servers: [http://a:1]\n  paths:\n${paths}`);
  return warnings.map(({ line, column, message }) => `${line}:${column}: ${message}`);
}

describe('mistakes in a file', () => {
  test('keys that stand beside an empty namespace, not below it, are told: they would all be ignored', () => {
    assert.equal(
      faultsOf('premier:\nservers: [http://a:1]\n'),
      'f:2:1: `servers` stands beside `premier:`, which is empty; indent all that belongs below it',
    );
    assert.equal(faultsOf('premier:\nother: 1\n'), '');
  });

  test('a `*` that YAML takes for an alias is told with what to do', () => {
    assert.match(
      faultsOf('premier:\n  paths:\n    - pattern: *\n'),
      /^f:3:\d+: this is no YAML: .*; what begins with `\*` needs quotes: "\*"$/,
    );
  });

  test('a host with a scheme would never match, so it is refused', () => {
    assert.match(
      faultsOf('premier:\n  paths: [{ pattern: /, host: "https://a.test" }]\n'),
      /`host` must be a name such as api\.example\.com, without a scheme and a path$/,
    );
  });

  test('an address of Redis without a scheme is refused before anything starts', () => {
    assert.match(
      faultsOf('premier:\n  store: { redis: { url: "localhost:6379" } }\n'),
      /`url` must begin with redis:\/\/, rediss:\/\/ or unix:\/\//,
    );
  });

  test('an address with a user or a query is told what is too much', () => {
    assert.match(
      faultsOf('premier:\n  servers: ["http://a:1/?b"]\n'),
      /such as http:\/\/backend:8000, without a user, a query or a # \(got/,
    );
  });

  test('a directory in place of a file is told', () => {
    assert.throws(() => GatewayConfig.fromFile('.'), /EISDIR\): it is a directory; name the file in it/);
  });

  test('a configuration in place of its path is told how to give it', () => {
    assert.throws(() => GatewayConfig.fromFile('premier:\n  servers: []\n'), /GatewayConfig\.fromText` reads a text/);
  });
});

describe('what is right but not meant', () => {
  test('parameters and queries in a pattern are literal, which is told', () => {
    assert.deepEqual(
      warningsOf('    - pattern: /users/{id}\n    - pattern: /a/:id/b\n    - pattern: /c?d=1\n    - pattern: "^/e{2}?$"\n'),
      [
        '4:16: `pattern` has `{id}` in it, which is literal; `*` stands for anything',
        '5:16: `pattern` has `:id` in it, which is literal; `*` stands for anything',
        '6:16: `pattern` has `?` in it, which is literal and in no path; a query is not matched',
      ],
    );
  });

  test('options that can do nothing are told', () => {
    const features = [
      'timeout: { seconds: 5, per_try: 5 }',
      'cors: { origins: ["*"], credentials: true }',
      'circuit_breaker: { failure_threshold: 5, window: { calls: 10 } }',
    ];
    const found = warningsOf(`    - pattern: /\n      features: { ${features.join(', ')} }\n`);
    assert.equal(found.length, 3);
    assert.match(found[0] as string, /^5:\d+: `per_try` does nothing: /);
    assert.match(found[1] as string, /`credentials` does nothing for the origin `\*`/);
    assert.match(found[2] as string, /`failure_threshold` does nothing beside `window`/);
  });
});

describe('origins', () => {
  test('that no browser sends are told, and those that one may send are not', () => {
    const found = warningsOf(
      '    - pattern: /\n      features:\n' +
        '        cors: { origins: [app.test, "https://app.test", "http://a:80/", "https://*.app.test", "null", "*"] }\n' +
        '        websocket: { origins: ["https://app.test/page"] }\n',
    );
    assert.deepEqual(found, [
      '6:27: `origins[0]` is no origin and lets nobody in; write a scheme and a host, as in https://app.test',
      '7:32: `origins[0]` is no origin and lets nobody in; write a scheme and a host, as in https://app.test',
    ]);
  });
});

describe('methods and keys', () => {
  test('that no request has are told', () => {
    const found = warningsOf(
      '    - pattern: /\n      methods: [get, PURGE, POTS]\n      features: { retry: { methods: [GTE] } }\n    - pattern: /a\n',
    );
    assert.deepEqual(
      found.map((told) => told.replace(/^[\d:]+ /, '')),
      ['`methods[2]` is `POTS`, which no request has', '`methods[0]` is `GTE`, which no request has'],
    );
    assert.match(
      faultsOf('premier:\n  default_features: { rate_limit: { quota: 1, duration: 1, key: "header: x-user" } }\n'),
      /^f:2:\d+: `key` is wrong: " x-user" in "header: x-user" is no name of a header field$/,
    );
    assert.match(
      faultsOf('premier:\n  default_features: { rate_limit: { quota: 1, duration: 1, key: header } }\n'),
      /did you mean "header:NAME"\?$/,
    );
  });

  test('a feature beside `features` is told where it belongs', () => {
    assert.equal(
      faultsOf('premier:\n  paths:\n    - pattern: /\n      timeout: 3\n'),
      'f:4:7: unknown key `timeout`; it belongs below `features`',
    );
  });
});

describe('mistakes in code', () => {
  const refused = (config: unknown, options: unknown, message: RegExp): Promise<void> =>
    assert.rejects(createGateway(config as never, options as never), { name: 'OptionsError', message });

  test('createGateway refuses what would only show as 404s later', async () => {
    await refused(undefined, {}, /the configuration is undefined; give a file/);
    await refused(Promise.resolve({}), {}, /a promise; await it/);
    await refused({}, { server: ['http://a:1'] }, /unknown option "server"; did you mean "servers"\?/);
    await refused({}, { app: undefined }, /"app" is undefined/);
    await refused({}, { servers: 'http://a:1' }, /"servers" must be a list/);
    await refused({}, { app, logger: 5 }, /"logger" must have info/);
    await refused({}, { app, provider: {} }, /"provider" must be one such as memory\(\)/);
    await refused({}, { app: { routing: app } }, /of a Fastify instance give `routing`/);
  });

  test('a gateway logs what may not be meant with its place, and that nothing is behind it', async () => {
    const lines: string[] = [];
    const config = GatewayConfig.fromText('premier:\n  paths: [{ pattern: "/a/{id}" }]\n', { source: 'f.yaml' });
    const gateway = await createGateway(config, { logger: { write: (line: string) => void lines.push(line) } as never });
    await gateway.close();
    assert.match(lines[0] as string, /"f\.yaml:2:22: `pattern` has `\{id\}` in it/);
    assert.match(lines.join(''), /There is nothing behind the gateway/);
  });

  test('listen takes an object with a port, and attach a server', async () => {
    const gateway = await createGateway({}, { app, logger: quiet });
    after(() => gateway.close());
    const port = (given: unknown): Promise<unknown> => gateway.listen(given as never);
    await assert.rejects(port(3000), { name: 'OptionsError', message: 'listen: give an object, such as { port: 3000 }' });
    await assert.rejects(port({ port: '80x' }), { name: 'OptionsError', message: /"port" must be a whole number/ });
    await assert.rejects(port({ port: '' }), { name: 'OptionsError' });
    await assert.rejects(port({ prot: 0 }), { name: 'OptionsError', message: 'listen: unknown option "prot"; known are port, host' });
    assert.throws(() => gateway.attach(app as never), { name: 'OptionsError', message: /give the server of node:http/ });
    assert.throws(() => gateway.attach(undefined as never), { name: 'OptionsError' });
  });

  test('a port in a text is one all the same, as PORT of the environment is', async () => {
    const gateway = await createGateway({}, { app, logger: quiet });
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => void free.close(resolve));
    assert.equal((await gateway.listen({ port: String(port) as never })).port, port);
    await gateway.close();
  });

  test('a closed gateway opens no server, which would keep the process', async () => {
    const gateway = await createGateway({}, { app, logger: quiet });
    await gateway.close();
    await gateway.close();
    await assert.rejects(gateway.listen({ port: 0 }), { name: 'OptionsError', message: /the gateway is closed/ });
    assert.throws(() => gateway.attach(createServer()), { name: 'OptionsError', message: /the gateway is closed/ });
  });

  test('a port of `admin.listener` that is in use is told by that name', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    await refused(
      { admin: { listener: `127.0.0.1:${port}` } },
      { app, logger: quiet },
      /^admin\.listener: 127\.0\.0\.1:\d+ cannot be opened .*EADDRINUSE/,
    );
    await new Promise((resolve) => void taken.close(resolve));
  });

  test('a fetch handler in place of a node listener is an error at once, not a silence', async () => {
    for (const bare of [() => new Response('hi'), () => Promise.resolve(new Response('hi'))])
      for (const features of [{}, { timeout: 60 }]) {
        let log = '';
        const logger = { write: (line: string) => void (log += line) } as never;
        await using gateway = await createGateway({ default_features: features }, { app: bare, logger });
        const { url } = await gateway.listen({ port: 0 });
        const response = await fetch(url, { headers: { connection: 'close' } });
        assert.equal(response.status, 500);
        await response.text();
        assert.match(log, /the app returned a Response, .* give \{ fetch: app \}/);
      }
  });

  test('why a node app cannot answer a fetch stands in the log', async () => {
    for (const features of [{}, { timeout: 1 }]) {
      let log = '';
      const logger = { write: (line: string) => void (log += line) } as never;
      await using gateway = await createGateway({ default_features: features }, { app, logger });
      assert.equal((await gateway.fetch(new Request('http://a.test/'))).status, 500);
      assert.match(log, /cannot answer gateway\.fetch\(\)/);
    }
  });
});
