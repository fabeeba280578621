import { types } from 'node:util';
import { emptyErrors, hiddenKeys, tag } from './codecTags.js';
import type { Trail } from './codecTrail.js';

type Trees = Record<string, unknown>;

/** The tree of a value, as `codecTags` tells. Throws at what cannot be stored. */
export function writeTree(value: unknown, trail: Trail): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return writeNumber(value);
    case 'undefined':
      return [tag.undefined];
    case 'bigint':
      return [tag.bigint, String(value)];
    case 'function':
    case 'symbol':
      throw trail.refusal(`a ${typeof value}`);
    case 'object': {
      if (value === null) return null;
      trail.enter(value);
      const tree = writeObject(value, trail);
      trail.leave();
      return tree;
    }
  }
}

function writeNumber(value: number): unknown {
  if (value - value === 0 && !Object.is(value, -0)) return value;
  return [tag.number, value === 0 ? '-0' : String(value)];
}

/** Values of another realm (`vm`, Jest) are known by what they are and by how long the chain of their prototypes is. */
function writeObject(value: object, trail: Trail): unknown {
  if (Object.getPrototypeOf(value) === Object.prototype) return writePlain(value, trail);
  const prototypes = prototypesOf(value);
  if (prototypes.length === 0) return [tag.record, writePlain(value, trail)];
  if (prototypes.length === 1 && Object.hasOwn(prototypes[0] as object, 'isPrototypeOf')) return writePlain(value, trail);
  if (types.isNativeError(value) || value instanceof Error) return writeError(value, prototypes, trail);
  if (ArrayBuffer.isView(value)) return writeView(value, prototypes, trail);
  if (prototypes.length !== 2) throw trail.refusal(instanceOf(value));
  return Array.isArray(value) ? writeArray(value, trail) : writeBuiltIn(value, trail);
}

function prototypesOf(value: object): readonly object[] {
  const prototypes: object[] = [];
  let next: unknown = Object.getPrototypeOf(value);
  while (typeof next === 'object' && next !== null) {
    prototypes.push(next);
    next = Object.getPrototypeOf(next);
  }
  return prototypes;
}

const instanceOf = (value: object): string => {
  const name = nameOf(Object.getPrototypeOf(value) as object);
  return name === undefined ? 'an object with a prototype of its own' : `an instance of ${name}`;
};

/** The name of the class that a prototype belongs to. */
function nameOf(prototype: object): string | undefined {
  const owner: unknown = Object.hasOwn(prototype, 'constructor') ? prototype.constructor : undefined;
  return typeof owner === 'function' && owner.name !== '' ? owner.name : undefined;
}

const typeOf = (value: object): string => Object.prototype.toString.call(value).slice('[object '.length, -1);

const isShown = (value: object, key: PropertyKey): boolean => Object.prototype.propertyIsEnumerable.call(value, key);

const hasSymbols = (value: object): boolean => Object.getOwnPropertySymbols(value).some((key) => isShown(value, key));

function writePlain(value: object, trail: Trail): Trees {
  if (hasSymbols(value)) throw trail.refusal('an object with symbols as keys');
  const type = typeOf(value);
  if (type !== 'Object') throw trail.refusal(`an object of type ${type}`);
  return writeKeys(value, Object.keys(value), trail);
}

function writeKeys(value: object, keys: readonly string[], trail: Trail): Trees {
  const tree: Trees = {};
  for (const key of keys) {
    trail.at(key);
    const part = writeTree((value as Trees)[key], trail);
    if (key === '__proto__') Object.defineProperty(tree, key, { value: part, enumerable: true });
    else tree[key] = part;
  }
  return tree;
}

/** Indexes come first among the keys, so the last key tells whether there are others. */
function writeArray(array: readonly unknown[], trail: Trail): unknown {
  const keys = Object.keys(array);
  const last = keys.at(-1);
  if ((last !== undefined && !isIndex(last, array.length)) || hasSymbols(array)) {
    throw trail.refusal('an array with properties of its own');
  }
  const isDense = keys.length === array.length;
  const tree: unknown[] = isDense ? [tag.array] : [tag.sparse, array.length];
  for (const key of keys) {
    const index = Number(key);
    trail.at(index);
    if (!isDense) tree.push(index);
    tree.push(writeTree(array[index], trail));
  }
  return tree;
}

const isIndex = (key: string, length: number): boolean => Number(key) < length && String(Number(key) >>> 0) === key;

function writeBuiltIn(value: object, trail: Trail): unknown {
  const tree = types.isBoxedPrimitive(value) ? [tag.boxed, writeTree(value.valueOf(), trail)] : writeKnown(value, trail);
  if (tree === undefined) throw trail.refusal(instanceOf(value));
  const indexes = types.isStringObject(value) ? value.length : 0;
  if (Object.keys(value).length > indexes || hasSymbols(value)) {
    trail.atItself();
    throw trail.refusal(`${instanceOf(value)} with properties of its own`);
  }
  return tree;
}

function writeKnown(value: object, trail: Trail): unknown {
  if (types.isDate(value)) return [tag.date, value.getTime()];
  if (types.isMap(value)) return writeItems(tag.map, [...value].flat(1), trail);
  if (types.isSet(value)) return writeItems(tag.set, value, trail);
  if (types.isRegExp(value)) return [tag.regExp, value.source, value.flags];
  if (types.isArrayBuffer(value)) return [tag.bytes, 'ArrayBuffer', base64(value, 0, value.byteLength)];
  if (value instanceof URL) return [tag.url, value.href];
  if (value instanceof URLSearchParams) return [tag.searchParams, value.toString()];
  return undefined;
}

function writeItems(kind: string, items: Iterable<unknown>, trail: Trail): unknown {
  const tree: unknown[] = [kind];
  for (const item of items) {
    trail.at(tree.length - 1);
    tree.push(writeTree(item, trail));
  }
  return tree;
}

function writeView(view: ArrayBufferView, prototypes: readonly object[], trail: Trail): unknown {
  const isBuffer = prototypes[0] === Buffer.prototype;
  if (!isBuffer && prototypes.length !== (types.isDataView(view) ? 2 : 3)) throw trail.refusal(instanceOf(view));
  return [tag.bytes, isBuffer ? 'Buffer' : typeOf(view), base64(view.buffer, view.byteOffset, view.byteLength)];
}

/** A buffer that was handed to another thread has no bytes left, and cannot be read either. */
const base64 = (buffer: ArrayBufferLike, offset: number, length: number): string =>
  length === 0 ? '' : Buffer.from(buffer, offset, length).toString('base64');

/** `[tag, class, hidden, shown]`: what the error owns without and with showing it among its keys. */
function writeError(error: Error, prototypes: readonly object[], trail: Trail): unknown {
  if (hasSymbols(error)) throw trail.refusal('an error with symbols as keys');
  const builtIn = prototypes.map(nameOf).find((name) => name !== undefined && emptyErrors.has(name)) ?? 'Error';
  const hidden = hiddenKeys.filter((key) => {
    if (Object.hasOwn(error, key)) return !isShown(error, key);
    return (key === 'name' && error.name !== builtIn) || (key === 'message' && error.message !== '');
  });
  return [tag.error, builtIn, writeKeys(error, hidden, trail), writeKeys(error, Object.keys(error), trail)];
}
