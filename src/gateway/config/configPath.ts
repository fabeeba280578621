import { distance } from '../../core/options.js';

/** A place in a configuration, from its root: `['paths', 0, 'pattern']`. */
export type ConfigPath = readonly (string | number)[];

/** The path of something inside another, as text: `paths[0]`, then `paths[0].pattern`. */
export function inside(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  if (!/^[\w-]+$/.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

/** A path as text. */
export function pathText(path: ConfigPath): string {
  return path.reduce<string>((text, key) => inside(text, key), '');
}

/** What stands at a path; `undefined` where nothing does. */
export function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** The part of a path that leads somewhere or would, had anything stood there: it ends at the first value that holds nothing. */
export function grounded(root: unknown, path: ConfigPath): ConfigPath {
  const end = path.findIndex((_, i) => typeof valueAt(root, path.slice(0, i)) !== 'object');
  return end === -1 ? path : path.slice(0, end);
}

/** Whether a value is a mapping: an object, but no list. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The name that stands nearest to a misspelt one, if one does. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.min(3, Math.ceil(given.length / 2));
  for (const name of known) {
    const far = distance(plain(given), plain(name));
    if (far < least) [best, least] = [name, far];
  }
  return best;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}
