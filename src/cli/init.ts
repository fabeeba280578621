import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { wordsOf } from './commandLine.js';
import { initSample } from './initSample.js';
import type { Command } from './io.js';

const usage = `Usage: premier init [FILE]

Writes a commented sample configuration to FILE (gateway.yaml). A file that is there already is left alone.`;

/** `premier init`: writes a commented sample file, and never over another one. */
export const init: Command = async (args, io) => {
  const words = wordsOf(args, { usage, least: 0, most: 1 }, io);
  if (typeof words === 'number') return words;
  const [file = 'gateway.yaml'] = words.positionals;
  try {
    await writeFile(resolve(io.cwd, file), initSample, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    io.err(`premier init: ${file} ${code === 'EEXIST' ? 'is there already; it was left alone' : `cannot be written (${code})`}`);
    return 1;
  }
  io.out(`${file} written; next: premier check ${file}, premier serve ${file}`);
  return 0;
};
