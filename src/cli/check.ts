import { formatIssue } from '../gateway/config/configError.js';
import { configNamed, wordsOf } from './commandLine.js';
import type { Command } from './io.js';

const usage = `Usage: premier check FILE [--namespace NAME]

Tells all mistakes of a configuration as file:line:column: message, and what is right but may not be meant.

  --namespace NAME    the key that the configuration stands below (premier)`;

/** `premier check`: tells all mistakes of a file at once; 1 when there are any. */
export const check: Command = async (args, io) => {
  const words = wordsOf(args, { usage, options: { namespace: { type: 'string' } }, least: 1, most: 1 }, io);
  if (typeof words === 'number') return words;
  const [file] = words.positionals as [string];
  const config = configNamed(file, words.values['namespace'], io, 'out');
  if (!config) return 1;
  for (const warning of config.warnings) io.out(formatIssue({ ...warning, message: `warning: ${warning.message}` }, file));
  const { paths, servers, upstreams } = config.resolved;
  const pools = Object.keys(upstreams).length + (servers === undefined ? 0 : 1);
  // What has nothing to forward to is right for an app, and `premier serve` refuses it.
  const only = pools === 0 ? ': for an app in code' : '';
  io.out(`${file}: ok (${counted(paths.length, 'path')}, ${counted(pools, 'upstream')}${only})`);
  return 0;
};

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
