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
    throw complaint(unreadable((error as NodeJS.ErrnoException).code, shown));
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw complaint('the file is not in UTF-8');
  }
}

function unreadable(code: string | undefined, shown: string): string {
  switch (code) {
    case 'ENOENT':
      // A configuration itself, where the path of its file should stand.
      if (/[\n{]/.test(shown)) return 'there is no such file; `GatewayConfig.fromText` reads a text';
      return `there is no such file; \`premier init ${shown}\` writes one`;
    case 'EISDIR':
      return 'cannot be read (EISDIR): it is a directory; name the file in it';
    case 'EACCES':
      return 'cannot be read (EACCES): this user has no right to; see its permissions, and those of the directories above';
    default:
      return `cannot be read (${code})`;
  }
}
