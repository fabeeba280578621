import { type Duration, durationWants, parseDuration, show } from './duration.js';
import { OptionsError } from './errors.js';

/** One option: what it wants, what it is when left out, and how it is read from code and from YAML alike. */
export interface Field<T> {
  /** Completes "option x must be …". */
  readonly wants: string;
  /** The value when the option is left out. */
  readonly default: T;
  /** Whether leaving it out is an error. */
  readonly required: boolean;
  /** The resolved value, or `invalid`. `path` is for errors deeper inside. */
  parse(value: unknown, path: string): T | typeof invalid;
}

/** What `Field.parse` answers to a value that it does not want. */
export const invalid: unique symbol = Symbol('invalid');

/** The options of a policy, field by field, with a name for errors. */
export interface Schema<Options, Resolved> {
  readonly policy: string;
  readonly fields: { readonly [K in keyof Options]-?: Field<unknown> };
  /** Checks everything once, fills in defaults. Throws `OptionsError` naming policy, option, what came and what is wanted. */
  parse(options: Options): Resolved;
}

type Fields<Options> = { readonly [K in keyof Options]-?: Field<unknown> };
type ResolvedOf<F> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** A schema for the options interface `Options`: every option must have its field. */
export const schema =
  <Options extends object>(policy: string) =>
  <F extends Fields<Options>>(fields: F, check?: (resolved: ResolvedOf<F>) => string | undefined): Schema<Options, ResolvedOf<F>> => ({
    policy,
    fields,
    parse(options) {
      const resolved = parseFields(fields, options, policy, '') as ResolvedOf<F>;
      const complaint = check?.(resolved);
      if (complaint !== undefined) throw new OptionsError(`${policy}: ${complaint}`);
      return resolved;
    },
  });

function parseFields(
  fields: Readonly<Record<string, Field<unknown>>>,
  given: unknown,
  policy: string,
  path: string,
): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionsError(`${policy}: ${path === '' ? 'the options' : `option "${path}"`} must be an object (got ${show(given)})`);
  }
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(fields, key))
      throw new OptionsError(`${policy}: unknown option "${path}${path && '.'}${key}"${suggest(key, fields)}`);
  }
  const resolved: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) {
    const at = path === '' ? key : `${path}.${key}`;
    const value = (given as Record<string, unknown>)[key];
    if (value === undefined) {
      if (field.required) throw new OptionsError(`${policy}: option "${at}" is missing; it must be ${field.wants}`);
      resolved[key] = field.default;
      continue;
    }
    const parsed = field.parse(value, `${policy}: option "${at}"`);
    if (parsed === invalid) throw new OptionsError(`${policy}: option "${at}" must be ${field.wants} (got ${show(value)})`);
    resolved[key] = parsed;
  }
  return resolved;
}

function suggest(key: string, fields: object): string {
  const known = Object.keys(fields);
  const near = known.find((name) => distance(name.toLowerCase(), key.toLowerCase().replaceAll('_', '')) <= 2);
  return near === undefined ? `; known are ${known.join(', ')}` : `; did you mean "${near}"?`;
}

/** Levenshtein's distance, for "did you mean". */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((next[j - 1] as number) + 1, (row[j] as number) + 1, (row[j - 1] as number) + same));
    }
    row = next;
  }
  return row[b.length] as number;
}

function field<T>(wants: string, fallback: T, parse: (value: unknown, path: string) => T | typeof invalid): Field<T> {
  return { wants, default: fallback, required: false, parse };
}

/** The same field, but leaving it out is an error. */
export const required = <T>(of: Field<T | undefined>): Field<T> => ({ ...(of as Field<T>), required: true });

/** The same field with a value for those who leave it out. */
export const withDefault = <T, D>(of: Field<T | undefined>, fallback: D): Field<T | D> => ({ ...(of as Field<T | D>), default: fallback });

/** A whole number. */
export const integer = (min: number, max: number = Number.MAX_SAFE_INTEGER): Field<number | undefined> =>
  field<number | undefined>(
    max === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`,
    undefined,
    (value) => (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max ? (value as number) : invalid),
  );

/** A number between two bounds, both included. */
export const number = (min: number, max: number): Field<number | undefined> =>
  field<number | undefined>(max === Infinity ? `a number of at least ${min}` : `a number from ${min} to ${max}`, undefined, (value) =>
    typeof value === 'number' && value >= min && value <= max ? value : invalid,
  );

/** A duration, resolved to milliseconds. */
export const duration = ({ zero = true }: { readonly zero?: boolean } = {}): Field<number | undefined> =>
  field<number | undefined>(zero ? durationWants : `longer than 0: ${durationWants}`, undefined, (value) => {
    const ms = parseDuration(value);
    return ms === undefined || (!zero && ms < 1) ? invalid : ms;
  });

/** `true` or `false`. */
export const flag = (fallback: boolean): Field<boolean> =>
  field(`true or false`, fallback, (value) => (typeof value === 'boolean' ? value : invalid));

/** A text that is not empty. */
export const text = (): Field<string | undefined> =>
  field<string | undefined>('a text that is not empty', undefined, (value) =>
    typeof value === 'string' && value !== '' ? value : invalid,
  );

/** One of a few words. */
export const oneOf = <const W extends string>(...words: readonly W[]): Field<W | undefined> =>
  field<W | undefined>(`one of ${words.map((word) => `'${word}'`).join(', ')}`, undefined, (value) =>
    (words as readonly unknown[]).includes(value) ? (value as W) : invalid,
  );

/** A function, typed by its option. */
export const fn = <T>(wants: string = 'a function'): Field<T | undefined> =>
  field<T | undefined>(wants, undefined, (value) => (typeof value === 'function' ? (value as T) : invalid));

/** Any value at all, typed by its option, with a check of its own. */
export const value = <T>(wants: string, accepts: (value: unknown) => boolean): Field<T | undefined> =>
  field<T | undefined>(wants, undefined, (given) => (accepts(given) ? (given as T) : invalid));

/** One field or another, the first that accepts. */
export const either = <A, B>(a: Field<A | undefined>, b: Field<B | undefined>): Field<A | B | undefined> =>
  field<A | B | undefined>(`${a.wants}, or ${b.wants}`, undefined, (given, path) => {
    const first = a.parse(given, path);
    return first === invalid ? b.parse(given, path) : first;
  });

/** A list that is not empty. */
export const list = <T>(of: Field<T | undefined>): Field<readonly T[] | undefined> =>
  field<readonly T[] | undefined>(`a list, each ${of.wants}`, undefined, (given, path) => {
    if (!Array.isArray(given) || given.length === 0) return invalid;
    const items = given.map((item, i) => of.parse(item, `${path}[${i}]`));
    return items.includes(invalid) ? invalid : (items as T[]);
  });

/** Options inside an option. */
export const group = <F extends Readonly<Record<string, Field<unknown>>>>(fields: F): Field<ResolvedOf<F> | undefined> =>
  field<ResolvedOf<F> | undefined>(`an object with ${Object.keys(fields).join(', ')}`, undefined, (given, path) => {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return invalid;
    const [policy, rest] = path.split(': option ') as [string, string];
    return parseFields(fields, given, policy, rest.replaceAll('"', '')) as ResolvedOf<F>;
  });

/** Error classes that an option names. */
export type ErrorClass = abstract new (...args: never[]) => Error;

function isErrorClass(item: unknown): boolean {
  return typeof item === 'function' && (item === Error || item.prototype instanceof Error);
}

/** A list of error classes, resolved to a test of an error. */
export const errorClasses = (): Field<readonly ErrorClass[] | undefined> =>
  field<readonly ErrorClass[] | undefined>('a list of error classes', undefined, (given) =>
    Array.isArray(given) && given.every(isErrorClass) ? (given as ErrorClass[]) : invalid,
  );

/** What logs: a `logger` option is a console, a pino, or a function that gets the line. */
export type Logger = ((message: string) => void) | { info(message: string): void };

/** A logger. */
export const logger = (): Field<Logger | undefined> =>
  value<Logger>(
    'a function, or an object with info()',
    (given) => typeof given === 'function' || typeof (given as { info?: unknown } | null)?.info === 'function',
  );

export type { Duration };
