import { randomFillSync } from 'node:crypto';

/** Asking the system for randomness costs a microsecond however little is asked for: so one ask serves some hundred ids. */
const pool = Buffer.allocUnsafe(4096);
let text = '';
let at = 0;

/** Random lower-case hexadecimal digits from the system's source: for ids that nobody can guess or meet twice. Up to 64 digits. */
export function randomHex(digits: number): string {
  if (at + digits > text.length) {
    text = randomFillSync(pool).toString('hex');
    at = 0;
  }
  return text.slice(at, (at += digits));
}
