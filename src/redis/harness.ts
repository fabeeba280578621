import { createHash } from 'node:crypto';
import type { LuaReply } from '../core/provider.js';
import { algorithms, ballot, lease, roster } from '../algorithms/index.js';
import { begin, count, drop, leave, mark, put, set } from './values.js';
import { type AnyStep, batchSource, singleSource } from './lua.js';

/** What one key is asked. Equal `args` objects travel once. */
export interface Asked {
  readonly key: string;
  readonly step: AnyStep;
  readonly args: readonly (string | number)[];
  /** Whether it is taken together with the one before it: all or none. */
  readonly joined: boolean;
}

/** A script, and what Redis calls it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** A script with what it is to be run on: how many keys, the keys, and the rest. */
export interface Run {
  readonly script: Script;
  readonly rest: readonly string[];
}

/** The steps of this package, in one order: so that every process uses the same script, and Redis keeps one. */
const ours = [...Object.values(algorithms), lease, roster, ballot]
  .map(({ lua }): unknown => lua)
  .concat([begin, put, set, leave, drop, count, mark]) as readonly AnyStep[];

/** Makes scripts of steps: a short one for each step that is asked alone, and one for all steps that ever travelled together. */
export class Harness {
  readonly #singles = new Map<AnyStep, Script>();
  readonly #steps = new Map<AnyStep, number>(ours.map((step, i) => [step, i + 1]));
  #batch: Script = scriptOf(batchSource(ours));

  /** How to ask. `now` in milliseconds takes the place of Redis' own time. */
  run(asked: readonly Asked[], now: number | undefined): Run {
    const time = now === undefined ? '' : String(now);
    const [only] = asked;
    if (asked.length > 1 || only === undefined) return this.#together(asked, time);
    let script = this.#singles.get(only.step);
    if (!script) this.#singles.set(only.step, (script = scriptOf(singleSource(only.step))));
    const rest = ['1', only.key, time];
    for (const arg of only.args) rest.push(written(arg));
    return { script, rest };
  }

  /** What a script answered to the one at `index`. */
  static reply(replies: readonly unknown[], index: number): LuaReply {
    const at = index * 4;
    return [Number(replies[at]), replies[at + 1], replies[at + 2], replies[at + 3]];
  }

  #together(asked: readonly Asked[], time: string): Run {
    const rest = [String(asked.length)];
    for (const { key } of asked) rest.push(key);
    const sets = new Map<readonly (string | number)[], number>();
    const described: string[] = [];
    let last: readonly (string | number)[] | undefined;
    let joined = false;
    for (const { step, args, joined: together } of asked) {
      joined ||= together;
      if (args === last) continue;
      last = args;
      if (sets.has(args)) continue;
      sets.set(args, sets.size + 1);
      described.push(String(this.#number(step)), String(args.length));
      for (const arg of args) described.push(written(arg));
    }
    rest.push(time, String(sets.size), ...described);
    // Most batches ask all keys the same: then nothing need be said of each.
    if (sets.size > 1 || joined) for (const { args, joined: together } of asked) rest.push(`${together ? '-' : ''}${sets.get(args)}`);
    return { script: this.#batch, rest };
  }

  #number(step: AnyStep): number {
    const known = this.#steps.get(step);
    if (known !== undefined) return known;
    this.#steps.set(step, this.#steps.size + 1);
    this.#batch = scriptOf(batchSource([...this.#steps.keys()]));
    return this.#steps.size;
  }
}

/** Numbers are sent as they are, texts behind a mark. */
const written = (arg: string | number): string => (typeof arg === 'number' ? String(arg) : `$${arg}`);

function scriptOf(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}
