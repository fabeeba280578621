import { compilePattern, type Pattern as Compiled } from '../routerPattern.js';

/** What of a path says which requests it takes. */
export interface Shadow {
  readonly pattern: string;
  readonly methods?: readonly string[] | undefined;
  readonly host?: string | undefined;
  readonly enabled: boolean;
}

/** A pattern that may take more than one path. */
interface Pattern {
  readonly text: string;
  readonly index: number;
  readonly prefix: string;
  readonly compiled: Compiled;
}

function patternOf(text: string, index: number): Pattern {
  const compiled = compilePattern(text);
  return { text, index, prefix: compiled.prefix, compiled };
}

/** Paths that can never match, because an earlier one takes all that they would: pairs of indexes, the later one first. */
export function shadowedPaths(paths: readonly Shadow[]): readonly (readonly [later: number, earlier: number])[] {
  const same = new Map<string, number[]>();
  const wide: Pattern[] = [];
  const found: [number, number][] = [];
  paths.forEach((path, index) => {
    if (!path.enabled) return;
    const earlier = [...(same.get(path.pattern) ?? []), ...wide.filter((each) => covers(each, path.pattern)).map((each) => each.index)];
    const cover = earlier.filter((i) => admitsAll(paths[i] as Shadow, path));
    if (cover.length > 0) found.push([index, Math.min(...cover)]);
    same.set(path.pattern, [...(same.get(path.pattern) ?? []), index]);
    if (path.pattern.startsWith('^') || path.pattern.includes('*')) wide.push(patternOf(path.pattern, index));
  });
  return found;
}

/** Whether each path that `narrow` matches is matched by `wide` too. Says no where it cannot tell. */
function covers(wide: Pattern, narrow: string): boolean {
  if (/^(?:\/?\*|\^\/(?:\.\*\$?)?)$/.test(wide.text)) return true;
  if (narrow.startsWith('^') || (wide.text.startsWith('^') && narrow.includes('*'))) return false;
  // The `*` of `narrow` may stand for anything, so only a `*` of `wide` may take it; and no literal part of `wide` can, for it has none.
  return narrow.startsWith(wide.prefix) && wide.compiled.matches(narrow);
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
