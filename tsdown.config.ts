import { defineConfig } from 'tsdown';

// p-retry is ESM only: it is bundled in, so that `require('premier')` loads everywhere. Types are emitted by tsc (see `build`).
export default defineConfig({
  entry: { index: 'src/index.ts', testing: 'src/testing/index.ts' },
  format: ['esm', 'cjs'],
  platform: 'node',
  target: 'node20',
  dts: false,
  deps: { alwaysBundle: ['p-retry', 'is-network-error'] },
});
