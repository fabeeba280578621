// What `run.mjs` starts on each runtime: the checks of one area.
import { runChecks } from './harness.mjs';

await import(`./${process.argv[2]}.mjs`);
await runChecks();
// Nothing is open any more, so the process ends by itself; `run.mjs` waits for that.
