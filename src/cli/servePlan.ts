import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { LogLevel } from '../observe/jsonLines.js';
import { optionFault } from './commandLine.js';
import type { Io } from './io.js';

const levels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/** What `premier serve` was asked to do. */
export interface ServePlan {
  /** The file as it was named, for messages; `undefined` for the environment or the sample. */
  readonly file: string | undefined;
  /** Where the file that may change lies. */
  readonly path: string | undefined;
  readonly namespace: string;
  readonly port: number;
  readonly host: string;
  readonly workers: number;
  readonly watch: boolean;
  readonly logLevel: LogLevel | undefined;
}

/** How `premier serve` is called. */
export const serveUsage: string = `Usage: premier serve [FILE] [options]

  FILE                the configuration; without one (and without PREMIER_CONFIG_FILE), a sample in front of a sample upstream
  --port PORT         where to listen (8000); 0 takes a free port
  --host HOST         on which address (127.0.0.1); 0.0.0.0 for all
  --workers N         how many processes serve (1); \`auto\` for one per core
  --watch             read the file again when it changes; SIGHUP always does
  --namespace NAME    the key that the configuration stands below (premier)
  --log-level LEVEL   ${levels.join(', ')}; wins over the file`;

/** A command line that is not understood. */
export class UsageError extends Error {}

/** Reads the arguments. Throws `UsageError`; answers nothing where help was asked for. */
export function servePlan(args: readonly string[], { cwd, env }: Pick<Io, 'cwd' | 'env'>): ServePlan | undefined {
  const { values, positionals } = parsed(args);
  if (values.help) return undefined;
  if (positionals.length > 1) throw new UsageError(`premier serve takes one file (got ${positionals.join(', ')})`);
  const [file] = positionals;
  const changing = file ?? (env['PREMIER_CONFIG_FILE'] || undefined);
  if (values.watch && changing === undefined) throw new UsageError('--watch needs a file');
  return {
    file,
    path: changing === undefined ? undefined : resolve(cwd, changing),
    namespace: values.namespace,
    port: whole('--port', values.port, 0, 65_535),
    host: values.host,
    workers: values.workers === 'auto' ? availableParallelism() : whole('--workers', values.workers, 1, 1024),
    watch: values.watch,
    logLevel: level(values['log-level']),
  };
}

const options = {
  port: { type: 'string', default: '8000' },
  host: { type: 'string', default: '127.0.0.1' },
  workers: { type: 'string', default: '1' },
  watch: { type: 'boolean', default: false },
  namespace: { type: 'string', default: 'premier' },
  'log-level': { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function parsed(args: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`premier serve: ${optionFault(error)}`, { cause: error });
  }
}

function whole(name: string, given: string, min: number, max: number): number {
  const number = Number(given);
  if (/^\d+$/.test(given) && number >= min && number <= max) return number;
  throw new UsageError(`${name} must be a whole number from ${min} to ${max} (got '${given}')`);
}

function level(given: string | undefined): LogLevel | undefined {
  const found = levels.find((known) => known === given);
  if (given === undefined || found) return found;
  throw new UsageError(`--log-level must be one of ${levels.join(', ')} (got '${given}')`);
}
