import { parseArgs, type ParseArgsConfig } from 'node:util';
import { resolve } from 'node:path';
import { ConfigError } from '../gateway/config/configError.js';
import { readConfigText } from '../gateway/config/configText.js';
import { GatewayConfig } from '../gateway/config/gatewayConfig.js';
import type { Io } from './io.js';

/** What a command takes. */
export interface Grammar {
  readonly usage: string;
  readonly options?: Readonly<Record<string, { readonly type: 'string' }>>;
  /** How many words stand behind the name of the command. */
  readonly least: number;
  readonly most: number;
}

/** What a command line said. */
export interface Words {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** Reads the arguments of a command; answers with an exit code where help was asked for, or where it does not understand. */
export function wordsOf(args: readonly string[], { usage, options, least, most }: Grammar, io: Pick<Io, 'out' | 'err'>): Words | number {
  const config: ParseArgsConfig = {
    args: [...args],
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  };
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs(config);
  } catch (error) {
    io.err(`${nameIn(usage)}: ${optionFault(error)}\n\n${usage}`);
    return 2;
  }
  const { positionals, values } = parsed;
  if (values['help'] === true) {
    io.out(usage);
    return 0;
  }
  if (positionals.length >= least && positionals.length <= most) return { positionals, values: values as Words['values'] };
  const surplus = positionals[most];
  io.err(
    `${nameIn(usage)}: ${surplus === undefined ? `${wordIn(usage, positionals.length)} is missing` : `what is '${surplus}' for?`}\n\n${usage}`,
  );
  return 2;
}

/** What `parseArgs` says, without its advice on arguments that begin with a dash. */
export function optionFault(error: unknown): string {
  return ((error as Error).message.split('. ', 1)[0] as string).replace(/^Unknown option/, 'unknown option');
}

function nameIn(usage: string): string {
  return /premier \w+/.exec(usage)?.[0] ?? 'premier';
}

/** The name of a word that a command takes, from its usage. */
function wordIn(usage: string, index: number): string {
  return /(?<=premier \w+ )[A-Z ]+/.exec(usage)?.[0].split(' ')[index] ?? 'a word';
}

/** Where mistakes are told. */
type Stream = 'out' | 'err';

/** Reads the configuration that a command names, or tells all that is wrong with it. */
export function configNamed(file: string, namespace: string | undefined, io: Io, stream: Stream): GatewayConfig | undefined {
  return orTell(io, stream, () =>
    GatewayConfig.fromText(readConfigText(resolve(io.cwd, file), file), {
      source: file,
      env: io.env,
      ...(namespace !== undefined && { namespace }),
    }),
  );
}

/** What `make` makes; nothing, and its mistakes told, where it throws a `ConfigError`. */
export function orTell<T>(io: Io, stream: Stream, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io[stream](error.message);
    return undefined;
  }
}
