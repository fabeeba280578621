import { readFileSync, statSync } from 'node:fs';
import { ConfigError } from './configError.js';
import { maxBytes } from './source.js';

/** The text of a configuration's file. Throws `ConfigError`, which names the file as `shown`. */
export function readConfigText(path: string, shown: string = path): string {
  const complaint = (message: string): ConfigError => new ConfigError([{ path: '', line: 0, column: 0, message }], shown);
  let bytes: Buffer;
  try {
    // Before it is read: a log by mistake may have gigabytes.
    if (statSync(path).size > maxBytes) throw complaint(`the file is longer than ${maxBytes} bytes`);
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw complaint(code === 'ENOENT' ? `there is no such file; \`premier init ${shown}\` writes one` : `cannot be read (${code})`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw complaint('the file is not in UTF-8');
  }
}
