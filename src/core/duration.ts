import { OptionsError } from './errors.js';

/** A span of time: seconds as a number (fractions allowed), or a number with a unit: `'250ms'`, `'5s'`, `'1m'`, `'2h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const withUnit = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** What a duration looks like, for error messages. */
export const durationWants = "seconds as a number, or a string with a unit: '250ms', '5s', '1m', '2h', '7d'";

/** Milliseconds of a duration, or `undefined` when it is none (negative, NaN, infinite, no unit, unknown unit). */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return value >= 0 && value * 1000 < Infinity ? round(value * 1000) : undefined;
  if (typeof value !== 'string') return undefined;
  const match = withUnit.exec(value);
  const ms = match ? round(Number(match[1]) * (unitMs[match[2] as string] as number)) : Infinity;
  return ms < Infinity ? ms : undefined;
}

/** Milliseconds of a duration. Throws `OptionsError` naming `place` when it is none. */
export function toMs(value: unknown, place: string): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw new OptionsError(`${place} must be ${durationWants} (got ${show(value)})`);
  return ms;
}

/** A value as it stands in an error message: short, and never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? `'${value.slice(0, 57)}…'` : `'${value}'`;
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** To a thousandth of a millisecond: `0.1 + 0.2` seconds are 300 ms. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
