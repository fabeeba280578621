import { types } from 'node:util';

/** How many objects may hold one another. The usual stack has room for half as many again. */
const deepest = 1_000;

class Refusal extends TypeError {}

/** Where in a value its writer is: what stops cycles, and tells the path of what cannot be stored. */
export class Trail {
  /** The objects that are being written, each within the one before. */
  readonly #open: object[] = [];
  /** Which part of each of them is being written: a key, or a number. A map has two parts for each entry. */
  readonly #parts: (string | number | undefined)[] = [];

  /** Goes into an object. Throws where it is within itself, or too deep. */
  enter(value: object): void {
    if (this.#open.includes(value)) throw this.refusal('a cycle');
    if (this.#open.length === deepest) throw this.refusal(`nested more than ${deepest} deep`);
    this.#open.push(value);
    this.#parts.push(undefined);
  }

  /** Says which part of the innermost object is read next. */
  at(part: string | number): void {
    this.#parts[this.#parts.length - 1] = part;
  }

  /** Says that the parts of the innermost object are done. */
  atItself(): void {
    this.#parts[this.#parts.length - 1] = undefined;
  }

  /** Goes out of the innermost object. */
  leave(): void {
    this.#open.pop();
    this.#parts.pop();
  }

  /** What to throw at a part that no text can hold. */
  refusal(what: string): TypeError {
    return new Refusal(`${this.#path()} is ${what}, which the codec cannot store; pass redis({ codec }) or return plain data`);
  }

  /** What to throw for anything that was thrown on the way: by a getter, by a proxy, or by JSON. */
  explain(cause: unknown): TypeError {
    if (cause instanceof Refusal) return cause;
    const why = cause instanceof Error ? cause.message : 'reading it threw';
    return new TypeError(`${this.#path()} cannot be stored: ${why}`, { cause });
  }

  /** Long paths without their middle. */
  #path(): string {
    const path = 'value' + this.#parts.map((part, i) => stepOf(this.#open[i] as object, part)).join('');
    return path.length <= 200 ? path : `${path.slice(0, 100)}…${path.slice(-100)}`;
  }
}

function stepOf(holder: object, part: string | number | undefined): string {
  if (part === undefined) return '';
  if (typeof part === 'string') return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`;
  if (types.isSet(holder)) return `.values()[${part}]`;
  if (!types.isMap(holder)) return `[${part}]`;
  const index = part >> 1;
  const key: unknown = [...holder.keys()][index];
  if (part % 2 === 0) return `.keys()[${index}]`;
  return typeof key === 'string' || typeof key === 'number' ? `.get(${JSON.stringify(key)})` : `.values()[${index}]`;
}
