import { jsonSchema } from '../gateway/config/jsonSchema.js';
import { wordsOf } from './commandLine.js';
import type { Command } from './io.js';

const usage = `Usage: premier schema [--namespace NAME]

Prints the JSON Schema of a configuration. In an editor with the YAML language server, put on top of the file:
  # yaml-language-server: $schema=./premier.schema.json

  --namespace NAME    the key that the configuration stands below (premier)`;

/** `premier schema`: prints the JSON Schema of the file, for editors. */
export const schema: Command = async (args, io) => {
  const words = wordsOf(args, { usage, options: { namespace: { type: 'string' } }, least: 0, most: 0 }, io);
  if (typeof words === 'number') return words;
  io.out(JSON.stringify(jsonSchema(words.values['namespace']), null, 2));
  return 0;
};
