import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';

/** Compiles one file of `test/types`, and returns the compiler's errors by line. */
function errorsOf(file: string, experimentalDecorators: boolean): Map<number, string> {
  mkdirSync('.build/types', { recursive: true });
  const project = `.build/types/${file}.${experimentalDecorators ? 'legacy' : 'standard'}.json`;
  const compilerOptions = { noEmit: true, experimentalDecorators, emitDecoratorMetadata: experimentalDecorators, noUnusedLocals: false };
  writeFileSync(project, JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: [`../../test/types/${file}.ts`] }));
  const { stdout } = spawnSync('node_modules/.bin/tsc', ['-p', project, '--pretty', 'false'], { encoding: 'utf8' });
  const errors = new Map<number, string>();
  for (const block of stdout.split(/\n(?=\S)/)) {
    const found = /^[^(]+\((\d+),\d+\): error (.*)/s.exec(block);
    if (found) errors.set(Number(found[1]), `${errors.get(Number(found[1])) ?? ''}${found[2]}`);
  }
  return errors;
}

for (const mode of ['standard', 'legacy'] as const) {
  describe(`types, ${mode} decorators`, () => {
    test('what is right compiles', () => {
      assert.deepEqual([...errorsOf('accepted', mode === 'legacy')], []);
    });

    test('what is wrong is a compile error, on its own line, in words', () => {
      const errors = errorsOf('refused', mode === 'legacy');
      const lines = readFileSync('test/types/refused.ts', 'utf8').split('\n');
      for (const [i, line] of lines.entries()) {
        const words = line.split('// refused: ')[1];
        const error = errors.get(i + 1);
        if (words === undefined) assert.equal(error, undefined, `line ${i + 1} should compile`);
        else assert.ok(error?.includes(words), `line ${i + 1} should be refused with "${words}", but: ${error ?? 'it compiles'}`);
      }
    });
  });
}
