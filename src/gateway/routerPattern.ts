import { OptionsError } from '../core/errors.js';
import { canonicalLiteral } from '../http/target.js';

/** The pattern of a path, compiled. */
export interface Pattern {
  /** What every path that matches begins with. */
  readonly prefix: string;
  /** Whether the prefix is all there is. */
  readonly exact: boolean;
  /** The last segment of every path that matches, where the pattern says it. */
  readonly tail: string | undefined;
  /** How many `*` it has; the names of a regular expression's groups. */
  readonly stars: number;
  readonly groups: readonly string[];
  matches(path: string): boolean;
  /** What each `*` stands for, or what each named group holds; nothing where the path does not match. */
  captures(path: string): readonly string[] | undefined;
}

/** Compiles a pattern: exact, a glob in which `*` stands for anything, or a regular expression that begins with `^`. */
export function compilePattern(text: string): Pattern {
  if (text.startsWith('^')) return new RegexPattern(text);
  const parts = text.split(/\*+/).map(canonicalLiteral);
  return parts.length === 1 ? new ExactPattern(parts[0] as string) : new GlobPattern(parts);
}

class ExactPattern implements Pattern {
  readonly exact = true;
  readonly tail = undefined;
  readonly stars = 0;
  readonly groups = [];

  constructor(readonly prefix: string) {}

  matches(path: string): boolean {
    return path === this.prefix;
  }

  captures(path: string): readonly string[] | undefined {
    return path === this.prefix ? [] : undefined;
  }
}

/** Each literal part is looked for once, from the left: linear, where a regular expression could try every split (ReDoS). */
class GlobPattern implements Pattern {
  readonly prefix: string;
  readonly exact = false;
  readonly tail: string | undefined;
  readonly stars: number;
  readonly groups = [];
  readonly #between: readonly string[];
  readonly #last: string;

  constructor(parts: readonly string[]) {
    this.prefix = parts[0] as string;
    this.#between = parts.slice(1, -1);
    this.#last = parts.at(-1) as string;
    this.stars = parts.length - 1;
    const slash = this.#last.lastIndexOf('/');
    this.tail = slash === -1 ? undefined : this.#last.slice(slash + 1);
  }

  matches(path: string): boolean {
    let at = this.prefix.length;
    const end = path.length - this.#last.length;
    if (end < at || !path.startsWith(this.prefix) || !path.endsWith(this.#last)) return false;
    for (const part of this.#between) {
      const found = path.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
      if (at > end) return false;
    }
    return true;
  }

  captures(path: string): readonly string[] | undefined {
    if (!this.matches(path)) return undefined;
    const found: string[] = [];
    let at = this.prefix.length;
    for (const part of this.#between) {
      const next = path.indexOf(part, at);
      found.push(path.slice(at, next));
      at = next + part.length;
    }
    found.push(path.slice(at, path.length - this.#last.length));
    return found;
  }
}

class RegexPattern implements Pattern {
  readonly prefix: string;
  readonly exact = false;
  readonly tail = undefined;
  readonly stars = 0;
  readonly groups: readonly string[];
  readonly #regex: RegExp;

  constructor(text: string) {
    try {
      // Every branch is anchored, as with Python's `match`: `^/a|/b` must not match `/x/b`.
      this.#regex = new RegExp(`^(?:${text.slice(1)})`);
    } catch (error) {
      throw new OptionsError(`the pattern "${text}" is no regular expression: ${(error as Error).message}`, { cause: error });
    }
    this.groups = Array.from(text.matchAll(/\(\?<([A-Za-z_$][\w$]*)>/g), (found) => found[1] as string);
    this.prefix = literalPrefix(text.slice(1));
  }

  matches(path: string): boolean {
    return this.#regex.test(path);
  }

  captures(path: string): readonly string[] | undefined {
    const found = this.#regex.exec(path);
    return found === null ? undefined : this.groups.map((name) => found.groups?.[name] ?? '');
  }
}

/** The literal text that a regular expression begins with, so that it need not be tried on every path. */
function literalPrefix(source: string): string {
  if (hasBranches(source)) return '';
  let prefix = '';
  for (let i = 0; i < source.length; i++) {
    let char = source[i] as string;
    if (char === '\\') {
      char = source[++i] ?? '';
      if (!/[^A-Za-z0-9]/.test(char)) return prefix;
    } else if (/[.*+?()[\]{}|^$]/.test(char)) return prefix;
    // What a quantifier follows may be missing.
    if (/[*+?{]/.test(source[i + 1] ?? '')) return prefix;
    prefix += char;
  }
  return prefix;
}

/** Whether there is a `|` outside of every group. */
function hasBranches(source: string): boolean {
  let depth = 0;
  let inClass = false;
  for (let i = 0; i < source.length; i++) {
    const char = source[i];
    if (char === '\\') i++;
    else if (inClass) inClass = char !== ']';
    else if (char === '[') inClass = true;
    else if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (char === '|' && depth === 0) return true;
  }
  return false;
}
