import { HttpError } from './errors.js';

/** A text as an ISBN-13 without hyphens, so that one book has one cache key. */
export function isbn13(given: unknown): string {
  const digits = typeof given === 'string' ? given.replaceAll('-', '') : '';
  if (/^97[89]\d{10}$/.test(digits) && checksum(digits) % 10 === 0) return digits;
  throw new HttpError(400, 'ISBN_INVALID', 'isbn must be an ISBN-13, such as 9780141439518');
}

function checksum(digits: string): number {
  return Array.from(digits, Number).reduce((sum, digit, i) => sum + digit * (i % 2 === 0 ? 1 : 3), 0);
}
