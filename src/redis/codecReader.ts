import { emptyErrors, hiddenKeys, oddNumbers, tag } from './codecTags.js';

type Reader = (parts: readonly unknown[]) => unknown;
type Trees = Record<string, unknown>;
type ViewClass = new (buffer: ArrayBuffer) => ArrayBufferView;

/** The value of a tree, made of the tree's own objects. Throws at a tree that the writer does not make. */
export function readTree(tree: unknown): unknown {
  if (typeof tree !== 'object' || tree === null) return tree;
  if (!Array.isArray(tree)) return readRecord(tree as Trees);
  const parts: readonly unknown[] = tree;
  const reader = readers.get(parts[0]);
  if (reader === undefined) throw unreadable('a tag');
  return reader(parts);
}

/** Every key is the record's own, `__proto__` too, so that assigning to it never meets a setter. */
function readRecord(record: Trees): Trees {
  for (const key of Object.keys(record)) {
    const part = record[key];
    if (typeof part === 'object' && part !== null) record[key] = readTree(part);
  }
  return record;
}

const readers: ReadonlyMap<unknown, Reader> = new Map<unknown, Reader>([
  [tag.array, readArray],
  [tag.bigint, (parts) => same(BigInt(textOf(parts, 2)), parts[1])],
  [tag.boxed, readBoxed],
  [tag.bytes, readBytes],
  [tag.date, readDate],
  [tag.error, readError],
  [tag.map, readMap],
  [tag.number, readNumber],
  [tag.record, (parts) => Object.assign(Object.create(null) as Trees, readRecord(recordOf(parts, 1, 2)))],
  [tag.regExp, readRegExp],
  [tag.searchParams, (parts) => same(new URLSearchParams(textOf(parts, 2)), parts[1])],
  [tag.set, readSet],
  [tag.sparse, readSparse],
  [tag.undefined, readUndefined],
  [tag.url, (parts) => same(new URL(textOf(parts, 2)), parts[1])],
]);

function unreadable(what: string): TypeError {
  return new TypeError(`the text was not written by this codec: ${what} is wrong`);
}

function count(parts: readonly unknown[], expected: number): void {
  if (parts.length !== expected) throw unreadable('a length');
}

/** The text that follows the tag, in a node of `length` parts. */
function textOf(parts: readonly unknown[], length: number): string {
  count(parts, length);
  if (typeof parts[1] !== 'string') throw unreadable('a type');
  return parts[1];
}

function recordOf(parts: readonly unknown[], at: number, length: number): Trees {
  count(parts, length);
  const record = parts[at];
  if (typeof record !== 'object' || record === null || Array.isArray(record)) throw unreadable('a type');
  return record as Trees;
}

/** What was made of a text, if the writer makes that text of it. */
function same<T extends bigint | URL | URLSearchParams>(made: T, text: unknown): T {
  if (String(made) !== text) throw unreadable('a text');
  return made;
}

function readUndefined(parts: readonly unknown[]): undefined {
  count(parts, 1);
}

function readArray(parts: readonly unknown[]): unknown[] {
  const array: unknown[] = [];
  for (let i = 1; i < parts.length; i++) array.push(readTree(parts[i]));
  return array;
}

/** `[tag, length, index, tree, index, tree, …]`, the indexes ascending. */
function readSparse(parts: readonly unknown[]): unknown[] {
  const [, length] = parts;
  if (!isIndex(length, 2 ** 32) || length === 0 || parts.length % 2 !== 0) throw unreadable('a length');
  const array: unknown[] = [];
  // In this order a long array of holes takes no room.
  array[length - 1] = undefined;
  Reflect.deleteProperty(array, length - 1);
  let next = 0;
  for (let i = 2; i < parts.length; i += 2) {
    const index = parts[i];
    if (!isIndex(index, length) || index < next) throw unreadable('an index');
    array[index] = readTree(parts[i + 1]);
    next = index + 1;
  }
  return array;
}

const isIndex = (value: unknown, below: number): value is number => Number.isInteger(value) && Number(value) >= 0 && Number(value) < below;

function readMap(parts: readonly unknown[]): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  for (let i = 1; i < parts.length; i += 2) map.set(readTree(parts[i]), readTree(parts[i + 1]));
  count(parts, 1 + map.size * 2);
  return map;
}

function readSet(parts: readonly unknown[]): Set<unknown> {
  const set = new Set<unknown>();
  for (let i = 1; i < parts.length; i++) set.add(readTree(parts[i]));
  count(parts, 1 + set.size);
  return set;
}

function readNumber(parts: readonly unknown[]): number {
  const number = oddNumbers.get(textOf(parts, 2));
  if (number === undefined) throw unreadable('a number');
  return number;
}

function readDate(parts: readonly unknown[]): Date {
  count(parts, 2);
  const [, ms] = parts;
  const date = new Date(ms === null ? NaN : (ms as number));
  if (date.getTime() !== ms && ms !== null) throw unreadable('a date');
  return date;
}

function readRegExp(parts: readonly unknown[]): RegExp {
  const source = textOf(parts, 3);
  const [, , flags] = parts;
  const made = new RegExp(source, flags as string);
  if (made.source !== source || made.flags !== flags) throw unreadable('an expression');
  return made;
}

function readBoxed(parts: readonly unknown[]): unknown {
  count(parts, 2);
  const inner = readTree(parts[1]);
  if (!['string', 'number', 'boolean', 'bigint'].includes(typeof inner)) throw unreadable('a type');
  return Object(inner);
}

const viewNames = 'Int8 Uint8 Uint8Clamped Int16 Uint16 Int32 Uint32 BigInt64 BigUint64 Float16 Float32 Float64'.split(' ');

/** Node 20 has no `Float16Array`. */
const views: ReadonlyMap<string, ViewClass | undefined> = new Map<string, ViewClass | undefined>([
  ['DataView', DataView],
  ...viewNames.map((name) => [`${name}Array`, (globalThis as unknown as Partial<Record<string, ViewClass>>)[`${name}Array`]] as const),
]);

function readBytes(parts: readonly unknown[]): Buffer | ArrayBuffer | ArrayBufferView {
  const name = textOf(parts, 3);
  const [, , text] = parts;
  if (typeof text !== 'string') throw unreadable('a type');
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw unreadable('base64');
  if (name === 'Buffer') return bytes;
  const { buffer } = new Uint8Array(bytes);
  if (name === 'ArrayBuffer') return buffer;
  const View = views.get(name);
  if (View === undefined) throw unreadable('a type');
  return new View(buffer);
}

/** `[tag, class, hidden, shown]`: what the error owns without and with showing it among its keys. */
function readError(parts: readonly unknown[]): Error {
  const error = emptyErrors.get(textOf(parts, 4))?.();
  if (error === undefined) throw unreadable('a type');
  Reflect.deleteProperty(error, 'stack');
  const hidden = readRecord(recordOf(parts, 2, 4));
  const shown = readRecord(recordOf(parts, 3, 4));
  for (const key of Object.keys(hidden)) {
    if (!hiddenKeys.includes(key)) throw unreadable('a key');
    Object.defineProperty(error, key, { value: hidden[key], writable: true, configurable: true });
  }
  for (const key of Object.keys(shown)) {
    Object.defineProperty(error, key, { value: shown[key], writable: true, configurable: true, enumerable: true });
  }
  return error;
}
