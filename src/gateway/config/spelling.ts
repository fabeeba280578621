import { z } from 'zod';
import type { ConfigIssue } from './configError.js';
import { inside, isMapping } from './configPath.js';

/** The snake_case form of a camelCase name: `expireS` → `expire_s`. */
function snakeOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Gives the keys of a schema their names as in YAML; keys that are somebody's own names (headers, upstreams, tiers) stay. */
export function toSnake(schema: z.core.$ZodType, value: unknown, path: string, issues: ConfigIssue[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const bare = bareFor(schema, Array.isArray(value));
  if (Array.isArray(value)) {
    return bare instanceof z.ZodArray ? value.map((item: unknown, i) => toSnake(bare.element, item, inside(path, i), issues)) : value;
  }
  if (!isMapping(value)) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (bare instanceof z.ZodRecord) {
    return Object.fromEntries(entries.map(([key, item]) => [key, toSnake(bare.valueType, item, inside(path, key), issues)]));
  }
  if (!(bare instanceof z.ZodObject)) return value;
  const { shape } = bare;
  const result: Record<string, unknown> = {};
  for (const [key, item] of entries) {
    const name = Object.hasOwn(shape, snakeOf(key)) ? snakeOf(key) : key;
    if (Object.hasOwn(result, name))
      issues.push({ path: inside(path, key), line: 0, column: 0, message: `\`${name}\` stands here in both spellings; keep one of them` });
    const inner = shape[name];
    const read = inner === undefined ? item : toSnake(inner, item, inside(path, name), issues);
    // Not by assignment: `__proto__` must become a key like any other, for the schema to refuse.
    Object.defineProperty(result, name, { value: read, enumerable: true, configurable: true, writable: true });
  }
  return result;
}

/** The object, record or array inside of defaults, pipes and unions. */
function bareFor(schema: z.core.$ZodType, list: boolean): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return bareFor(schema.unwrap(), list);
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return bareFor(schema.unwrap(), list);
  if (schema instanceof z.ZodPipe) return bareFor(schema.in instanceof z.ZodTransform ? schema.out : schema.in, list);
  if (!(schema instanceof z.ZodUnion)) return schema;
  const options = schema.options.map((option) => bareFor(option, list));
  return (
    options.find((option) => (list ? option instanceof z.ZodArray : option instanceof z.ZodObject || option instanceof z.ZodRecord)) ??
    schema
  );
}
