import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';

const apps = 'test/adapters/nestjsApps';
/** NestJS 11 cannot be installed beside NestJS 12: it has a folder of its own, with the built package in it. */
const old = '.build/nestjs11';

function installOld(): void {
  const lock = readFileSync(`${apps}/nest11/package-lock.json`, 'utf8');
  if (!existsSync(`${old}/node_modules/@nestjs`) || readFileSync(`${old}/package-lock.json`, 'utf8') !== lock) {
    rmSync(old, { recursive: true, force: true });
    mkdirSync(old, { recursive: true });
    cpSync(`${apps}/nest11`, old, { recursive: true });
    execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: old, stdio: 'pipe' });
  }
  for (const file of ['app.cjs', 'main.cjs', 'main.mjs']) cpSync(`${apps}/${file}`, `${old}/${file}`);
  rmSync(`${old}/node_modules/premier`, { recursive: true, force: true });
  for (const file of ['package.json', 'dist']) cpSync(file, `${old}/node_modules/premier/${file}`, { recursive: true });
}

/** What the application answers: the same under every version, adapter and module system. */
const expected = {
  answers: [
    [203, { 'x-kind': 'book', 'ratelimit-policy': '"minute";q=2;w=60', 'x-ratelimit-remaining': '1' }, { id: 7, keyspace: 'shop' }],
    [
      403,
      { 'ratelimit-policy': '"minute";q=2;w=60', 'x-ratelimit-remaining': '0' },
      { message: 'Forbidden resource', error: 'Forbidden', statusCode: 403 },
    ],
    [
      429,
      { 'retry-after': '60', 'ratelimit-policy': '"minute";q=2;w=60', 'x-ratelimit-remaining': '0' },
      { statusCode: 429, message: 'Rate limit exceeded', error: 'Too Many Requests', code: 'PREMIER_QUOTA_EXCEEDED' },
    ],
  ],
  kept: [
    [200, 'MISS'],
    [200, 'HIT'],
  ],
  closed: 1,
};

describe('the built package in an application of its own', () => {
  before(installOld);

  for (const [nest, folder] of [
    [11, old],
    [12, apps],
  ] as const) {
    for (const main of ['main.cjs', 'main.mjs']) {
      test(`works under NestJS ${nest} as ${main.endsWith('cjs') ? 'CommonJS' : 'ESM'}, on Express and on Fastify`, async () => {
        for (const adapter of ['express', 'fastify']) {
          const { stdout } = await promisify(execFile)(process.execPath, [main, adapter], { cwd: folder });
          assert.deepEqual(JSON.parse(stdout), { nest, ...expected }, adapter);
        }
      });
    }
  }
});
