import type { ResolvedConfig } from '../gateway/config/schema.js';
import { encodedSlashesOf } from '../gateway/encodedSlashes.js';
import { featureOrder } from '../gateway/features/index.js';
import { Router } from '../gateway/router.js';
import { Problem } from '../http/problem.js';
import { parseTarget } from '../http/target.js';
import { configNamed, wordsOf } from './commandLine.js';
import type { Command } from './io.js';

const usage = `Usage: premier explain FILE METHOD PATH [--host HOST] [--namespace NAME]

Prints the pattern that a request matches, then the stages it goes through, outermost first.

  --host HOST         the host that the request names (localhost)
  --namespace NAME    the key that the configuration stands below (premier)`;

/** `premier explain`: tells what happens to a request, in order. */
export const explain: Command = async (args, io) => {
  const options = { host: { type: 'string' }, namespace: { type: 'string' } } as const;
  const words = wordsOf(args, { usage, options, least: 3, most: 3 }, io);
  if (typeof words === 'number') return words;
  const [file, method, path] = words.positionals as [string, string, string];
  const config = configNamed(file, words.values['namespace'], io, 'err');
  if (!config) return 1;
  const { resolved } = config;
  const target = parseTarget(path, { mergeSlashes: resolved.merge_slashes, encodedSlashes: encodedSlashesOf(resolved) });
  if (target instanceof Problem) {
    io.err(`premier explain: '${path}' is refused: ${target.message}${path.startsWith('/') ? '' : '; begin it with /'}`);
    return 1;
  }
  const host = target.authority ?? words.values['host'] ?? 'localhost';
  for (const line of story(resolved, method.toUpperCase(), host.toLowerCase(), target.path)) io.out(line);
  return 0;
};

function story(resolved: ResolvedConfig, method: string, host: string, path: string): readonly string[] {
  const matched = new Router(resolved.paths).match(method, host, path);
  const features = matched ? matched.features : resolved.default_features;
  const title = matched?.pattern ?? (features ? '(no path matches: default_features)' : '(no path matches)');
  return [title, ...featureOrder.filter((name) => features?.[name] !== undefined)];
}
