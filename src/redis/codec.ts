import { readTree } from './codecReader.js';
import { Trail } from './codecTrail.js';
import { writeTree } from './codecWriter.js';

/** Turns values into text and back. `encode` throws at what it cannot store, `decode` at what it cannot read. */
export interface Codec {
  encode(value: unknown): string;
  decode(text: string): unknown;
}

/**
 * The codec of premier/redis: JSON, and beside it `undefined`, `NaN`, the infinities, -0, `BigInt`, `Date`, `RegExp`, `URL`,
 * `URLSearchParams`, `Map`, `Set`, errors, `Buffer`, typed arrays, `DataView`, `ArrayBuffer`, boxed primitives, holes in arrays and
 * objects without a prototype. They come back with the same type.
 *
 * A function, a symbol, an instance of any other class, a cycle, more than 1,000 objects within one another, and an array or a
 * built-in with properties of its own are a `TypeError` that names the path. An error of a class of your own comes back as the built-in error that it extends, with its
 * name.
 */
export const typedCodec: Codec = {
  encode(value) {
    return isCertainlyPlain(value) ? plainMark + JSON.stringify(value) : typedMark + encodeTree(value);
  },
  decode(text) {
    switch (text[0]) {
      case plainMark:
        return JSON.parse(text.slice(1));
      case typedMark:
        return readTree(JSON.parse(text.slice(1)));
      default:
        throw new TypeError('the text was not written by this codec');
    }
  },
};

const plainMark = 'j';
const typedMark = 't';

function encodeTree(value: unknown): string {
  const trail = new Trail();
  try {
    return JSON.stringify(writeTree(value, trail));
  } catch (cause) {
    throw trail.explain(cause);
  }
}

/** The writer of trees finds out why reading a value throws, and where. */
function isCertainlyPlain(value: unknown): boolean {
  try {
    return isPlain(value, 0);
  } catch {
    return false;
  }
}

/** What nests deeper is left to the writer of trees, which knows a cycle. */
const deepest = 100;

/** Whether JSON gives exactly this value back. Says no in doubt. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return value === 0 ? 1 / value > 0 : value - value === 0;
    case 'object':
      if (value === null) return true;
      return depth < deepest && (Array.isArray(value) ? isPlainArray(value, depth) : isPlainRecord(value, depth));
    default:
      return false;
  }
}

function isPlainRecord(record: object, depth: number): boolean {
  if (Object.getPrototypeOf(record) !== Object.prototype) return false;
  for (const key in record) {
    const value = (record as Record<string, unknown>)[key];
    if (typeof value !== 'string' && !isPlain(value, depth + 1)) return false;
  }
  return Object.getOwnPropertySymbols(record).length === 0;
}

/** The values are listed without their indexes, which cost several times as much to list; holes are missing among them. */
function isPlainArray(array: readonly unknown[], depth: number): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype) return false;
  const values = Object.values(array);
  if (values.length !== array.length || Object.getOwnPropertySymbols(array).length > 0) return false;
  for (let i = 0; i < values.length; i++) {
    const value = array[i];
    if (typeof value !== 'string' && !isPlain(value, depth + 1)) return false;
  }
  return true;
}
