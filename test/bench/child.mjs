// One operation in a process of its own: `guard` proves that every candidate works, `measure` times them.
import { measure, median, ratio } from './measure.mjs';
import { operationNamed } from './operations/index.mjs';

const [mode, name] = process.argv.slice(2);
const operation = operationNamed(name);

async function guard() {
  for (const [candidate, made] of Object.entries(operation.candidates)) {
    try {
      await operation.check(made);
    } catch (error) {
      throw new Error(`${operation.name}: ${candidate} does not work: ${error.message}`, { cause: error });
    }
  }
}

async function callOf([candidate, { wrap, sync }], args) {
  const call = await wrap(operation.work, operation.options);
  return { name: candidate, call: operation.argument ? () => call(operation.argument()) : call, args, sync };
}

async function time() {
  const all = Object.entries(operation.candidates);
  const { args } = operation;
  const [hand] = all;
  const rows = [];
  const group = async (candidates, rounds) => {
    const calls = [];
    for (const candidate of candidates) calls.push(await callOf(candidate, args));
    const entries = await measure(calls, { rounds, sliceMs: operation.sliceMs ?? 25 });
    for (const entry of entries) {
      if (rows.some((row) => row.name === entry.name)) continue;
      rows.push({ name: entry.name, ns: median(entry.nsPerCall), ratio: ratio(entry, entries[0]) });
    }
  };
  await group(
    all.filter(([, { late }]) => !late),
    15,
  );
  // Peers that leave much behind come last, each alone with the hand-written call.
  const late = all.filter(([, made]) => made.late);
  for (const one of late) await group([hand, one], 5);
  return rows;
}

let report;
try {
  report = mode === 'guard' ? { ok: await guard().then(() => true) } : { rows: await time() };
} catch (error) {
  report = { error: error.stack };
}
process.send(report, () => process.exit(0));
