// `npm run bench:http`, `node test/bench/http/main.mjs proxy cached --rounds=5 --seconds=1 --json`: see README.md.
import { loadavg } from 'node:os';
import { asker } from './load.mjs';
import { pinned } from './processes.mjs';
import { sections } from './sections.mjs';
import { sectionTable, verdictsOf } from './table.mjs';

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const json = process.argv.includes('--json');
const option = (name, otherwise) => Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise);
const how = { rounds: option('rounds', 11), seconds: option('seconds', 2), warmUp: option('warm-up', 3) };

const tell = (text) => {
  if (!json) console.log(text);
};
const load = () =>
  loadavg()
    .map((one) => one.toFixed(1))
    .join(' ');
const results = [];
tell(
  `Node ${process.version}; ${pinned ? 'each server on core 0, what asks and answers on core 1' : 'NOT pinned to cores: expect noise'}; ` +
    `asked by ${asker}; ${how.rounds} interleaved rounds of ${how.seconds} s; medians. Load ${load()}.\n`,
);
for (const section of sections.filter(({ name }) => words.length === 0 || words.includes(name))) {
  const entries = await section.run(how);
  const verdicts = verdictsOf(section, entries);
  results.push({
    name: section.name,
    rows: entries.map((entry) => ({ ...entry, server: undefined })),
    verdicts,
  });
  tell(sectionTable(section, entries, verdicts));
}
const missed = results.flatMap(({ verdicts }) => verdicts.filter(({ met }) => !met));
tell(missed.length === 0 ? 'Every goal is met.' : `Missed: ${missed.map(({ text }) => text).join('; ')}.`);
tell(`Load at the end ${load()}.`);
if (json) console.log(JSON.stringify(results, undefined, 2));
