/** About how many bytes a value takes in memory: enough to bound a cache, not to audit one. */
export function sizeOf(value: unknown, seen: Set<object> = new Set()): number {
  if (typeof value === 'string') return 16 + value.length * 2;
  if (typeof value !== 'object' || value === null) return 8;
  if (seen.has(value)) return 8;
  seen.add(value);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return 64 + value.byteLength;
  let bytes = 32;
  if (value instanceof Map) for (const [key, item] of value) bytes += 32 + sizeOf(key, seen) + sizeOf(item, seen);
  else if (value instanceof Set) for (const item of value) bytes += 24 + sizeOf(item, seen);
  else for (const key of Object.keys(value)) bytes += 8 + sizeOf((value as Record<string, unknown>)[key], seen);
  return bytes;
}
