// The same declarations a second time, for `require`: what a `.d.ts` describes is told by the nearest package.json.
import { cpSync, writeFileSync } from 'node:fs';

cpSync('dist/types', 'dist/types-cjs', { recursive: true });
writeFileSync('dist/types-cjs/package.json', '{ "type": "commonjs" }\n');
