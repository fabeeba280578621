import { resolve } from 'node:path';
import { readConfigText } from '../gateway/config/configText.js';
import { importYaml } from '../gateway/config/importSeeds.js';
import { orTell, wordsOf } from './commandLine.js';
import type { Command } from './io.js';

const usage = `Usage: premier import FILE

Prints another gateway's file (\`router.routes\`, or \`services\`) as a configuration of ours. The old file stays as it is.`;

/** `premier import`: translates another gateway's file; what its owner should know goes to standard error. */
export const importFile: Command = async (args, io) => {
  const words = wordsOf(args, { usage, least: 1, most: 1 }, io);
  if (typeof words === 'number') return words;
  const [file] = words.positionals as [string];
  const imported = orTell(io, 'err', () => importYaml(readConfigText(resolve(io.cwd, file), file), file));
  if (!imported) return 1;
  io.out(imported.yaml);
  for (const note of imported.notes) io.err(`note: ${note}`);
  return 0;
};
