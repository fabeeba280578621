import { createHash } from 'node:crypto';
import { KeyError } from './errors.js';

/**
 * The key of a list of arguments: injective and typed, so that no two different calls meet. Every part says its type and how long it
 * is, so nothing in a text can look like a delimiter. One string alone stands for itself; all else begins with `(`, and what is longer than
 * 512 characters is `#` and its SHA-256.
 *
 * What cannot be keyed (functions, symbols, promises, streams, cycles, class instances without a key of their own) is a `KeyError`
 * that names the path. A class gives its instances a key by a method `toKey()`.
 */
export function encodeArgs(args: readonly unknown[]): string {
  if (args.length === 1 && typeof args[0] === 'string') return encodeText(args[0]);
  let count = args.length;
  while (count > 0 && args[count - 1] === undefined) count--;
  if (count === 1 && typeof args[0] === 'string') return encodeText(args[0]);
  let text = '(';
  for (let i = 0; i < count; i++) text += encode(args[i], `args[${i}]`, undefined);
  return shorten(text);
}

const longest = 512;
const parenthesis = 40;
const hash = 35;

/** The key of one text: itself, unless it could be taken for something else. */
export function encodeText(text: string): string {
  const first = text.charCodeAt(0);
  if (text.length <= longest && first !== parenthesis && first !== hash) return text;
  return shorten('(' + text.length + '"' + text);
}

function shorten(text: string): string {
  return text.length <= longest ? text : '#' + createHash('sha256').update(text, 'utf16le').digest('base64url');
}

interface Above {
  readonly value: object;
  readonly above: Above | undefined;
}

type Path = string | (() => string);
const at = (path: Path): string => (typeof path === 'string' ? path : path());

/** Types are told by a letter after the value, or by the bracket that opens it. */
function encode(value: unknown, path: Path, above: Above | undefined): string {
  switch (typeof value) {
    case 'string':
      return value.length + '"' + value;
    case 'number':
      return value === 0 ? '0n' : value + 'n';
    case 'boolean':
      return value ? 'T' : 'F';
    case 'undefined':
      return 'U';
    case 'bigint':
      return value + 'b';
    case 'object':
      return value === null ? 'N' : encodeObject(value, path, above);
    case 'function':
    case 'symbol':
      throw unkeyable(typeof value, path);
  }
}

function encodeObject(value: object, path: Path, above: Above | undefined): string {
  for (let seen = above; seen; seen = seen.above) {
    if (seen.value === value) throw new KeyError(`${at(path)} contains itself; give the policy a key function`, at(path));
  }
  const here: Above = { value, above };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return encodeRecord(value as Record<string, unknown>, path, here);
  if (Array.isArray(value)) return encodeArray(value, path, here);
  return encodeKnown(value, path, here);
}

function encodeRecord(record: Record<string, unknown>, path: Path, here: Above): string {
  const keys = Object.keys(record);
  for (let i = 1; i < keys.length; i++) {
    if ((keys[i - 1] as string) > (keys[i] as string)) {
      keys.sort();
      break;
    }
  }
  if (Object.getOwnPropertySymbols(record).length > 0) throw unkeyable('an object with symbol keys', path);
  let text = '{';
  for (const key of keys) {
    const value = record[key];
    text += key.length + ':' + key;
    // The commonest types here, without a call and a path for each.
    if (typeof value === 'string') text += value.length + '"' + value;
    else if (typeof value === 'number') text += value === 0 ? '0n' : value + 'n';
    else text += encode(value, () => `${at(path)}.${key}`, here);
  }
  return text + '}';
}

function encodeArray(array: readonly unknown[], path: Path, here: Above): string {
  let text = '[';
  let present = 0;
  for (let i = 0; i < array.length; i++) {
    if (i in array) present++;
    text += i in array ? encode(array[i], () => `${at(path)}[${i}]`, here) : 'H';
  }
  if (Object.keys(array).length !== present) throw unkeyable('an array with properties of its own', path);
  return text + ']';
}

/** The built-in types that have a value, and classes that bring a key of their own. */
function encodeKnown(value: object, path: Path, here: Above): string {
  if (value instanceof Date) return 'D' + value.getTime() + 'n';
  if (value instanceof Map) {
    const entries = [...value].map(
      ([key, item], i) => encode(key, () => `${at(path)}.keys()[${i}]`, here) + encode(item, () => `${at(path)}.get(${String(key)})`, here),
    );
    return 'M' + entries.length + '(' + entries.toSorted().join('') + ')';
  }
  if (value instanceof Set) {
    const items = [...value].map((item, i) => encode(item, () => `${at(path)}.values()[${i}]`, here));
    return 'S' + items.length + '(' + items.toSorted().join('') + ')';
  }
  if (value instanceof RegExp) return 'R' + text(value.source) + text(value.flags);
  if (value instanceof URL) return 'L' + text(value.href);
  if (value instanceof URLSearchParams) return 'Q' + text(value.toString());
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return 'B' + text(Object.prototype.toString.call(value).slice(8, -1)) + text(bytes.toString('base64'));
  }
  if (value instanceof ArrayBuffer) return 'A' + text(Buffer.from(value).toString('base64'));
  for (const [Boxed, letter] of [
    [String, 's'],
    [Number, 'i'],
    [Boolean, 'o'],
  ] as const) {
    if (value instanceof Boxed) return letter + text(String(value));
  }
  return encodeOwnKey(value, path, here);
}

const text = (of: string): string => of.length + '"' + of;

function encodeOwnKey(value: object, path: Path, here: Above): string {
  const className = (value.constructor as { name?: string } | undefined)?.name ?? 'an object without a class';
  const { toKey } = value as { toKey?: unknown };
  if (typeof toKey !== 'function') throw unkeyable(`an instance of ${className}`, path);
  return 'C' + text(className) + encode(toKey.call(value), () => `${at(path)}.toKey()`, here);
}

function unkeyable(what: string, path: Path): KeyError {
  const where = at(path);
  return new KeyError(
    `${where} is ${what}, which has no key; pass a key function (cacheKey, keymaker), or give its class a method toKey()`,
    where,
  );
}
