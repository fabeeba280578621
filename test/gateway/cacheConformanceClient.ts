// The client of the suite of http-tests, which is once per process: asks through PREMIER_BASE, for all tests or those of PREMIER_ONLY, and
// writes what came of them as JSON.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

interface Suite {
  readonly tests: readonly { readonly id: string }[];
}

interface Runner {
  runTests(suites: readonly Suite[], fetch: unknown, inBrowser: boolean, base: string, atOnce: number): Promise<void>;
  getResults(): unknown;
}

const manifest = createRequire(import.meta.url).resolve('http-cache-tests/package.json');
const load = (file: string): Promise<unknown> => import(pathToFileURL(join(dirname(manifest), file)).href);

const { default: suites } = (await load('tests/index.mjs')) as { readonly default: readonly Suite[] };
const { runTests, getResults } = (await load('client/runner.mjs')) as Runner;
const only = (process.env['PREMIER_ONLY'] ?? '').split(' ').filter((id) => id !== '');
const wanted = suites.map((suite) => ({ ...suite, tests: suite.tests.filter(({ id }) => only.length === 0 || only.includes(id)) }));
await runTests(wanted, createRequire(manifest)('node-fetch'), false, process.env['PREMIER_BASE'] ?? '', 120);
process.stdout.write(JSON.stringify(getResults()));
