/**
 * A copy of a value that nobody else can change: of plain objects, lists, maps, sets, dates and bytes. Objects of classes are shared: what they
 * keep to themselves cannot be copied.
 */
export function copyOf<T>(value: T, known = new Map<unknown, unknown>()): T {
  if (typeof value !== 'object' || value === null) return value;
  const before = known.get(value);
  if (before !== undefined) return before as T;
  const copy = shellOf(value);
  known.set(value, copy);
  if (value instanceof Map) for (const [key, one] of value) (copy as Map<unknown, unknown>).set(copyOf(key, known), copyOf(one, known));
  else if (value instanceof Set) for (const one of value) (copy as Set<unknown>).add(copyOf(one, known));
  // What cannot be looked into is shared.
  if (copy === value || ArrayBuffer.isView(value) || value instanceof Date) return copy as T;
  for (const name of Reflect.ownKeys(value)) {
    const own = Object.getOwnPropertyDescriptor(value, name) as PropertyDescriptor;
    Object.defineProperty(copy, name, 'value' in own ? { ...own, value: copyOf<unknown>(own.value, known) } : own);
  }
  return copy as T;
}

function shellOf(value: object): object {
  if (Array.isArray(value)) return [];
  if (value instanceof Map) return new Map();
  if (value instanceof Set) return new Set();
  if (value instanceof Date) return new Date(value);
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (ArrayBuffer.isView(value)) return structuredClone(value);
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null ? {} : value;
}
