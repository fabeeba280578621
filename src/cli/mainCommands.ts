import { createRequire } from 'node:module';
import { nearest } from '../gateway/config/configPath.js';
import type { Command, Io } from './io.js';

interface Entry {
  readonly usage: string;
  readonly does: string;
  /** Commands are loaded when they are called: checking a file needs no proxy. */
  load(): Promise<Command>;
}

const commands: Readonly<Record<string, Entry>> = {
  serve: {
    usage: 'serve [FILE]',
    does: 'run the gateway; without a file, with a sample',
    load: async () => (await import('./serve.js')).serve,
  },
  check: { usage: 'check FILE', does: 'tell all mistakes of a file', load: async () => (await import('./check.js')).check },
  explain: {
    usage: 'explain FILE METHOD PATH',
    does: 'tell what happens to a request, in order',
    load: async () => (await import('./explain.js')).explain,
  },
  init: { usage: 'init [FILE]', does: 'write a commented sample file', load: async () => (await import('./init.js')).init },
  import: {
    usage: 'import FILE',
    does: "translate another gateway's file",
    load: async () => (await import('./import.js')).importFile,
  },
  schema: {
    usage: 'schema',
    does: 'print the JSON Schema of the file, for editors',
    load: async () => (await import('./schema.js')).schema,
  },
  keys: { usage: 'keys', does: 'API keys (comes in a later version)', load: async () => keys },
};

const keys: Command = async (_args, io) => {
  io.err('premier keys: API keys come in a later version, together with `auth`');
  return 2;
};

/** Runs one command line. Answers with the exit code: 0, 1 for what went wrong, 2 for a command line that is not understood. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version' || name === '-v') {
    io.out(version());
    return 0;
  }
  if (name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    io.out(help());
    return 0;
  }
  if (name === undefined) {
    io.err(help());
    return 2;
  }
  if (name === 'help') return run([rest[0] as string, '--help'], io);
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry) return (await entry.load())(rest, io);
  const near = nearest(name, Object.keys(commands));
  io.err(`premier: there is no command '${name}'${near === undefined ? '' : `; did you mean '${near}'?`}\n\n${help()}`);
  return 2;
}

function help(): string {
  const width = Math.max(...Object.values(commands).map(({ usage }) => usage.length));
  const lines = Object.values(commands).map(({ usage, does }) => `  premier ${usage.padEnd(width)}   ${does}`);
  return ['Usage:', ...lines, '', '`premier COMMAND --help` tells more; `premier --version` tells the version.'].join('\n');
}

function version(): string {
  // A package knows itself by its own name, wherever the build has put this file.
  const { version: own } = createRequire(import.meta.url)('premier/package.json') as { readonly version: string };
  return own;
}
