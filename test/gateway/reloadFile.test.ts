import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { ConfigError } from '../../src/gateway/config/configError.js';
import { GatewayConfig } from '../../src/gateway/config/gatewayConfig.js';
import { createGateway } from '../../src/gateway/create.js';
import type { Gateway } from '../../src/gateway/gateway.js';
import { send, startUpstream } from '../support/gateways.js';

const text = (status: number): string => `premier:
  paths:
    - pattern: /a
      features: { headers: { response: { set: { X-Version: "${status}" } } } }
`;

const bad = `premier:
  paths:
    - pattern: /a
      features: { rate_limt: { quota: 1, duration: 60 } }
`;

/** A gateway from a file, its log, and what tells of its reloads. */
class Watched {
  readonly lines: string[] = [];
  readonly #gateway: Gateway;
  #url = '';

  private constructor(gateway: Gateway, lines: string[]) {
    this.#gateway = gateway;
    this.lines = lines;
  }

  static async open(t: TestContext, file: string, watch: boolean = true): Promise<Watched> {
    const lines: string[] = [];
    const write = (line: string): boolean => lines.push(line) > 0;
    const app = await startUpstream(t, (_request, response) => response.end('app'));
    const gateway = await createGateway(GatewayConfig.fromFile(file, { watch }), { servers: [app.url], logger: { write } });
    t.after(() => gateway.close({ grace: 0 }));
    const opened = new Watched(gateway, lines);
    opened.#url = (await gateway.listen({ port: 0 })).url;
    return opened;
  }

  get gateway(): Gateway {
    return this.#gateway;
  }

  async version(): Promise<unknown> {
    return (await send(`${this.#url}/a`)).headers['x-version'];
  }

  /** Resolves when the log has so many lines that say it. */
  async told(message: string, times: number = 1): Promise<string> {
    for (;;) {
      const found = this.lines.filter((line) => line.includes(message));
      if (found.length >= times) return found.at(-1) as string;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function folderOf(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'premier-reload-')));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const reloaded = 'Configuration reloaded';
const refused = 'Configuration not reloaded';

describe('a gateway that watches its file', { timeout: 20_000, concurrency: 4 }, () => {
  for (const [way, change] of [
    ['is written in place', (file: string, next: string) => writeFileSync(file, next)],
    [
      'is replaced by a rename',
      (file: string, next: string) => {
        writeFileSync(`${file}.new`, next);
        renameSync(`${file}.new`, file);
      },
    ],
  ] as const) {
    test(`takes it over when it ${way}, and again`, async (t) => {
      const file = join(folderOf(t), 'gateway.yaml');
      writeFileSync(file, text(1));
      const watched = await Watched.open(t, file);
      assert.equal(await watched.version(), '1');
      for (const version of [2, 3]) {
        change(file, text(version));
        await watched.told(reloaded, version - 1);
        assert.equal(await watched.version(), String(version));
      }
    });
  }

  test('takes it over when Kubernetes swaps the symlink above it', async (t) => {
    const folder = folderOf(t);
    for (const version of [1, 2]) {
      mkdirSync(join(folder, `v${version}`));
      writeFileSync(join(folder, `v${version}`, 'gateway.yaml'), text(version));
    }
    symlinkSync('v1', join(folder, '..data'));
    symlinkSync('..data/gateway.yaml', join(folder, 'gateway.yaml'));
    const watched = await Watched.open(t, join(folder, 'gateway.yaml'));
    symlinkSync('v2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await watched.told(reloaded);
    assert.equal(await watched.version(), '2');
  });

  test('finds by looking what no event tells, as for a file that is mounted alone', async (t) => {
    const folder = folderOf(t);
    mkdirSync(join(folder, 'elsewhere'));
    mkdirSync(join(folder, 'here'));
    const target = join(folder, 'elsewhere', 'real.yaml');
    writeFileSync(target, text(1));
    symlinkSync(target, join(folder, 'here', 'gateway.yaml'));
    const watched = await Watched.open(t, join(folder, 'here', 'gateway.yaml'));
    writeFileSync(target, text(2));
    await watched.told(reloaded);
    assert.equal(await watched.version(), '2');
  });

  test('keeps what it has when the file is wrong, says where in one line, and takes the next one that is right', async (t) => {
    const file = join(folderOf(t), 'gateway.yaml');
    writeFileSync(file, text(1));
    const watched = await Watched.open(t, file);
    writeFileSync(file, bad);
    const line = JSON.parse(await watched.told(refused)) as { level: string; message: string };
    assert.equal(line.level, 'ERROR');
    assert.ok(line.message.includes(`${file}:4:19: `), line.message);
    assert.match(line.message, /rate_limit/);
    assert.equal(await watched.version(), '1');
    assert.match(await watched.gateway.metrics.text(), /config_reloads_total\{result="failure"\} 1/);
    // Half of a file, as an editor that is still writing leaves it.
    writeFileSync(file, text(2).slice(0, -12));
    await watched.told(refused, 2);
    assert.equal(await watched.version(), '1');
    writeFileSync(file, text(2));
    await watched.told(reloaded);
    assert.equal(await watched.version(), '2');
  });

  test('still follows its file after it was given another configuration by call', async (t) => {
    const file = join(folderOf(t), 'gateway.yaml');
    writeFileSync(file, text(1));
    const watched = await Watched.open(t, file);
    await watched.gateway.reload({ paths: [] });
    assert.equal(await watched.version(), undefined);
    await watched.gateway.reload();
    assert.equal(await watched.version(), '1');
    await watched.gateway.reload({ paths: [] });
    writeFileSync(file, text(2));
    await watched.told(reloaded, 4);
    assert.equal(await watched.version(), '2');
  });

  test('follows the file that it was given last', async (t) => {
    const folder = folderOf(t);
    const [one, two] = [join(folder, 'one.yaml'), join(folder, 'two.yaml')];
    writeFileSync(one, text(1));
    writeFileSync(two, text(2));
    const watched = await Watched.open(t, one);
    await watched.gateway.reload(two);
    assert.equal(await watched.version(), '2');
    writeFileSync(two, text(3));
    await watched.told(reloaded, 2);
    assert.equal(await watched.version(), '3');
  });
});

describe('a gateway with a file that it does not watch', { timeout: 60_000 }, () => {
  test('reads it again when it is told to, and says what is wrong with it', async (t) => {
    const file = join(folderOf(t), 'gateway.yaml');
    writeFileSync(file, text(1));
    const { gateway, version } = await opened(t, file);
    writeFileSync(file, text(2));
    await gateway.reload();
    assert.equal(await version(), '2');
    writeFileSync(file, bad);
    await assert.rejects(gateway.reload(), (error) => error instanceof ConfigError && error.message.startsWith(`${file}:4:19: `));
    rmSync(file);
    await assert.rejects(gateway.reload(), (error) => error instanceof ConfigError && error.message.includes(file));
    assert.equal(await version(), '2');
  });
});

async function opened(t: TestContext, file: string): Promise<{ gateway: Gateway; version: () => Promise<unknown> }> {
  const watched = await Watched.open(t, file, false);
  return { gateway: watched.gateway, version: () => watched.version() };
}
