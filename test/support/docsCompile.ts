import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Fence } from './docs.js';

/** Which decorators a fence is compiled with. */
export type Mode = 'standard' | 'legacy';

/** Whether a fence is compiled: `ts` is, with standard decorators; `ts legacy` with legacy ones; `ts both` with both. */
export function isFor(mode: Mode, { info: [language, which = 'standard'] }: Fence): boolean {
  return language === 'ts' && (which === mode || which === 'both');
}

/** Compiles fences under the rules of this repository, against the built package, and returns the errors: `docs/page.md:12: …`. */
export function errorsOf(fences: readonly Fence[], mode: Mode): string[] {
  const folder = `.build/docs/${mode}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const sources = fences.map((fence, i) => source(fence, `${folder}/${i}.ts`));
  for (const { file, text } of sources) writeFileSync(file, text);
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(project(mode)));
  const { stdout, status } = spawnSync('node_modules/.bin/tsc', ['-p', folder, '--pretty', 'false'], { encoding: 'utf8' });
  const errors = stdout
    .split(/\n(?=\S)/)
    .filter((block) => block.trim() !== '')
    .map((block) => located(block.trimEnd(), sources));
  if (status !== 0 && errors.length === 0) throw new Error('tsc failed without saying why');
  return errors;
}

function project(mode: Mode): object {
  const legacy = mode === 'legacy';
  return {
    extends: '../../../tsconfig.json',
    compilerOptions: {
      rootDir: '.',
      experimentalDecorators: legacy,
      emitDecoratorMetadata: legacy,
      // A snippet shows one thing, and need not use it.
      noUnusedLocals: false,
      noUnusedParameters: false,
    },
    include: ['*.ts'],
  };
}

interface Source {
  readonly fence: Fence;
  readonly file: string;
  readonly text: string;
  /** How many lines the prelude put above the fence's own. */
  readonly above: number;
}

function source(fence: Fence, file: string): Source {
  const prelude = fence.prelude === undefined ? '' : readFileSync(`test/support/docs-preludes/${fence.prelude}.ts`, 'utf8');
  return { fence, file, text: `${prelude}${fence.code}\nexport {};\n`, above: prelude.split('\n').length - 1 };
}

/** An error of the compiler, at the line of the page that it is about. */
function located(error: string, sources: readonly Source[]): string {
  const found = /^([^(]+)\((\d+),\d+\): (.*)$/s.exec(error);
  const its = sources.find(({ file }) => found?.[1]?.endsWith(file) === true);
  if (!found || !its) return error;
  const line = Number(found[2]) - its.above;
  if (line < 1) return `test/support/docs-preludes/${its.fence.prelude}.ts:${found[2]}: ${found[3]}`;
  return `${its.fence.page}:${its.fence.line + line - 1}: ${found[3]}`;
}
