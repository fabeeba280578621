import { compilePattern, type Pattern } from '../routerPattern.js';

/** What of a path says which requests it takes. */
export interface Shadow {
  readonly pattern: string;
  readonly methods?: readonly string[] | undefined;
  readonly host?: string | undefined;
  readonly enabled: boolean;
}

/** A pattern that may take more than one path. */
interface Wide {
  readonly text: string;
  readonly index: number;
  readonly compiled: Pattern;
}

/** Paths that can never match, because an earlier one takes all that they would: pairs of indexes, the later one first. */
export function shadowedPaths(paths: readonly Shadow[]): readonly (readonly [later: number, earlier: number])[] {
  const seen = new Earlier();
  const found: [number, number][] = [];
  paths.forEach((path, index) => {
    if (!path.enabled) return;
    const cover = seen.covering(path.pattern).filter((i) => admitsAll(paths[i] as Shadow, path));
    if (cover.length > 0) found.push([index, Math.min(...cover)]);
    seen.add(path.pattern, index);
  });
  return found;
}

/** The patterns before the one that is looked at, by text and by prefix, so that thousands of them stay cheap. */
class Earlier {
  readonly #same = new Map<string, number[]>();
  readonly #byPrefix = new Map<string, Wide[]>();
  readonly #all: number[] = [];

  add(text: string, index: number): void {
    put(this.#same, text, index);
    if (/^(?:\/?\*|\^\/(?:\.\*\$?)?)$/.test(text)) this.#all.push(index);
    else if (text.startsWith('^') || text.includes('*')) {
      const compiled = compilePattern(text);
      put(this.#byPrefix, compiled.prefix, { text, index, compiled });
    }
  }

  covering(text: string): readonly number[] {
    const found = [...(this.#same.get(text) ?? []), ...this.#all];
    for (let length = 0; length <= text.length; length++) {
      for (const wide of this.#byPrefix.get(text.slice(0, length)) ?? []) if (covers(wide, text)) found.push(wide.index);
    }
    return found;
  }
}

function put<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}

/** Whether each path that `narrow` matches is matched by `wide` too. Says no where it cannot tell. */
function covers({ text, compiled }: Wide, narrow: string): boolean {
  if (narrow.startsWith('^') || (text.startsWith('^') && narrow.includes('*'))) return false;
  // The `*` of `narrow` may stand for anything, so only a `*` of `wide` may take it; and no literal part of `wide` can, for it has none.
  return compiled.matches(narrow);
}

function admitsAll(earlier: Shadow, later: Shadow): boolean {
  return admitsHosts(earlier.host?.toLowerCase(), later.host?.toLowerCase()) && admitsMethods(earlier.methods, later.methods);
}

function admitsHosts(earlier: string | undefined, later: string | undefined): boolean {
  if (earlier === undefined || earlier === later) return true;
  return earlier.startsWith('*.') && later !== undefined && later.endsWith(earlier.slice(1)) && later.length > earlier.length - 1;
}

function admitsMethods(earlier: readonly string[] | undefined, later: readonly string[] | undefined): boolean {
  if (earlier === undefined) return true;
  // Where GET may come in, HEAD may too.
  return later !== undefined && later.every((method) => earlier.includes(method) || (method === 'HEAD' && earlier.includes('GET')));
}
