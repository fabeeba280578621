// Builds `dist`: JavaScript for `import` and for `require` by tsdown, types by tsc.
import { execFileSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { build } from 'tsdown';

await build({
  config: false,
  entry: {
    index: 'src/index.ts',
    gateway: 'src/gateway/index.ts',
    redis: 'src/redis/index.ts',
    testing: 'src/testing/index.ts',
    express: 'src/adapters/express.ts',
    fastify: 'src/adapters/fastify.ts',
    fetch: 'src/adapters/fetch/index.ts',
    hono: 'src/adapters/hono.ts',
    koa: 'src/adapters/koa.ts',
    nestjs: 'src/adapters/nestjs/index.ts',
    cli: 'src/cli/main.ts',
  },
  format: ['esm', 'cjs'],
  platform: 'node',
  target: 'node20',
  dts: false,
  logLevel: 'error',
  // p-retry is ESM only: it is bundled in, so that `require('premier')` loads everywhere.
  deps: { alwaysBundle: ['p-retry', 'is-network-error'] },
});

const types = [
  '-p',
  'tsconfig.json',
  '--noEmit',
  'false',
  '--declaration',
  '--emitDeclarationOnly',
  '--rootDir',
  'src',
  '--outDir',
  'dist/types',
];
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', ...types], { stdio: 'inherit' });

// The same declarations a second time, for `require`: what a `.d.ts` describes is told by the nearest package.json.
cpSync('dist/types', 'dist/types-cjs', { recursive: true });
writeFileSync('dist/types-cjs/package.json', '{ "type": "commonjs" }\n');
