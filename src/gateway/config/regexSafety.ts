/**
 * Finds quantifiers inside quantifiers, such as `(a+)+`: a backtracking engine needs exponential time for them ("ReDoS"); and three of them
 * in a row that can stand for the same text, such as `.*a.*a.*b`, for which it needs the third power of the length. A repeated group that
 * begins or ends with a character that nothing repeated inside of it can match, such as `(/[^/]+)*`, has only one way to match and is left
 * alone.
 */
export function isUnsafeRegex(source: string): boolean {
  try {
    return new Scan(source).unsafe();
  } catch {
    // It is none at all, which the schema tells.
    return false;
  }
}

interface Atom {
  /** A test of one character, or `undefined` for a group, of which nothing is known. */
  readonly matches: RegExp | undefined;
  /** The character, where it is just one. */
  readonly literal: string | undefined;
  readonly group: Sequence[] | undefined;
  readonly repeated: boolean;
  readonly optional: boolean;
}

type Sequence = readonly Atom[];

const quantifier = /(?:[*+?]|\{(\d+)(,(\d*))?\})\??/y;
const escape = /\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|c[A-Za-z]|k<[^>]*>|[1-9]\d*|[^])/y;
const charClass = /\[(?:\\[^]|[^\]\\])*\]/y;
const opening = /\((?:\?(?:[:=!]|<[=!]|<[^>]*>))?/y;
/** A group that may come this often and holds a quantifier is as good as one without an end. */
const often = 10;

class Scan {
  #at = 0;
  readonly #source: string;

  constructor(source: string) {
    void new RegExp(source);
    this.#source = source;
  }

  unsafe(): boolean {
    return this.#alternatives().some((sequence) => isUnsafe(sequence) || climbs(sequence));
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source);
    if (found) this.#at = pattern.lastIndex;
    return found;
  }

  #alternatives(): Sequence[] {
    const all: Atom[][] = [[]];
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#source[this.#at] === '|') {
        this.#at++;
        all.push([]);
      } else (all.at(-1) as Atom[]).push(this.#atom());
    }
    return all;
  }

  #atom(): Atom {
    let group: Sequence[] | undefined;
    let text = '';
    if (this.#take(opening)) {
      group = this.#alternatives();
      this.#at++;
    } else text = (this.#take(charClass) ?? this.#take(escape))?.[0] ?? (this.#source[this.#at++] as string);
    const times = this.#take(quantifier);
    const most = times === null ? 1 : mostOf(times);
    const literal = group === undefined && /^(?:[^.^$[\\]|\\[^\w])$/.test(text) ? text.at(-1) : undefined;
    return {
      matches: group === undefined && !/^(?:[\^$]|\\[bBk1-9].*)$/.test(text) ? new RegExp(`^(?:${text})$`, 's') : undefined,
      literal,
      group,
      repeated: most > often,
      optional: times !== null && (/^[*?]/.test(times[0]) || times[1] === '0'),
    };
  }
}

function mostOf(times: RegExpExecArray): number {
  if (times[0].startsWith('?')) return 1;
  if (times[1] === undefined) return Infinity;
  return times[2] === undefined ? Number(times[1]) : Number(times[3] === '' ? Infinity : times[3]);
}

function isUnsafe(sequence: Sequence): boolean {
  return sequence.some((atom) => {
    if (!atom.group) return false;
    if (atom.group.some(isUnsafe)) return true;
    return atom.repeated && (atom.group.some(repeatsLoosely) || overlaps(atom.group));
  });
}

function repeatsLoosely(inner: Sequence): boolean {
  const repeated = allAtoms(inner).filter((atom) => atom.repeated);
  if (repeated.length === 0) return false;
  const fence = [inner[0], inner.at(-1)].some(
    (edge) =>
      edge?.literal !== undefined &&
      !edge.repeated &&
      !edge.optional &&
      repeated.every((atom) => atom.matches !== undefined && !atom.matches.test(edge.literal as string)),
  );
  return !fence;
}

/** Whether two alternatives of one character each can both take the same one, as in `(\w|\d)*`, or one text begins another: `(a|ab|b)*`. */
function overlaps(group: readonly Sequence[]): boolean {
  const single = group.flatMap((inner) => (inner.length === 1 && inner[0]?.matches !== undefined ? [inner[0].matches] : []));
  if (ascii.some((character) => single.filter((matches) => matches.test(character)).length > 1)) return true;
  const texts = group.filter((inner) => inner.every(({ literal, repeated, optional }) => literal !== undefined && !repeated && !optional));
  const written = texts.map((inner) => inner.map(({ literal }) => literal).join(''));
  return written.some((text, i) => written.some((other, j) => i !== j && other.startsWith(text)));
}

const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

function allAtoms(sequence: Sequence): readonly Atom[] {
  return sequence.flatMap((atom) => [atom, ...(atom.group ?? []).flatMap(allAtoms)]);
}

/** Two such quantifiers in a row are bearable on a path of bounded length, three are not. */
const mostInARow = 2;

function climbs(sequence: Sequence): boolean {
  if (sequence.some(({ group }) => group?.some(climbs))) return true;
  const atoms = inlined(sequence);
  const last = atoms.at(-1);
  // What takes everything up to the end cannot fail.
  if (last?.repeated && visible.every((character) => last.matches?.test(character))) atoms.pop();
  const rows = atoms.map(() => 0);
  for (const [j, atom] of atoms.entries()) {
    if (!atom.repeated) continue;
    const before = rows.filter(
      (row, i) => row > 0 && i < j && atoms.slice(i + 1, j + 1).every((one) => one.optional || meet(atoms[i] as Atom, one)),
    );
    rows[j] = 1 + Math.max(0, ...before);
  }
  return rows.some((row) => row > mostInARow);
}

/** The atoms with what stands in a group just once, and without what takes no text. */
function inlined(sequence: Sequence): Atom[] {
  return sequence.flatMap((atom) => {
    if (atom.group === undefined) return atom.matches === undefined ? [] : [atom];
    return atom.group.length === 1 && !atom.repeated && !atom.optional ? inlined(atom.group[0] as Sequence) : [atom];
  });
}

/** Whether some character can be taken by both. */
function meet({ matches: one }: Atom, { matches: other }: Atom): boolean {
  return one === undefined || other === undefined || ascii.some((character) => one.test(character) && other.test(character));
}

const visible = ascii.slice(0x21, 0x7f);
