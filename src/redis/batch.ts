import type { LuaReply } from '../core/provider.js';
import { type Asked, Harness } from './harness.js';
import type { Health } from './health.js';
import type { Wire } from './wire.js';

/** More than this many keys in one script would keep Redis from its other clients for milliseconds. */
const mostKeys = 500;

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** How an answer is made. */
interface How<T> {
  readonly decide: (reply: LuaReply) => T;
  /** What to answer when the store does not; what it throws is the error. */
  readonly instead: (error: unknown) => T;
}

/** What a tick asks of the keys of one shard: first what is only read, then the steps, in the order in which they were asked. */
interface Tick {
  readonly keys: string[];
  readonly places: Map<string, number>;
  readonly readers: (Waiting<unknown> & { readonly place: number })[];
  readonly asked: Asked[];
  readonly answers: (Waiting<unknown> & How<unknown>)[];
  readonly stepped: Set<string>;
}

const emptyTick = (): Tick => ({ keys: [], places: new Map(), readers: [], asked: [], answers: [], stepped: new Set() });

/**
 * The keys of one shard. Calls of one tick travel together: one `MGET` and one script, in one write each, which is what most of the cost of a
 * command is. No decision changes by it, and none its place.
 */
export class Batch {
  readonly #wire: Wire;
  readonly #harness: Harness;
  readonly #health: () => Health;
  readonly #now: (() => number) | undefined;
  #tick: Tick | undefined;

  constructor(wire: Wire, harness: Harness, health: () => Health, now: (() => number) | undefined) {
    this.#wire = wire;
    this.#harness = harness;
    this.#health = health;
    this.#now = now;
  }

  /** The text under a key, or `null`. */
  read(key: string): Promise<unknown> {
    // Who reads after a step of the same tick sees what it wrote.
    if (this.#tick?.stepped.has(key)) this.#flush();
    const tick = this.#open();
    let place = tick.places.get(key);
    if (place === undefined) {
      tick.places.set(key, (place = tick.keys.length));
      tick.keys.push(key);
    }
    const at = place;
    return new Promise((resolve, reject) => tick.readers.push({ place: at, resolve, reject }));
  }

  /** One step. `readable` says that the key may be read as well. */
  step<T>(asked: Asked, { decide, instead }: How<T>, readable: boolean): Promise<T> {
    const tick = this.#open();
    if (readable) tick.stepped.add(asked.key);
    tick.asked.push(asked);
    const answer = new Promise<T>((resolve, reject) =>
      tick.answers.push({ decide, instead, resolve: resolve as (value: unknown) => void, reject }),
    );
    if (tick.asked.length >= mostKeys) this.#flush();
    return answer;
  }

  /** Makes room for so many steps that must not be torn apart. */
  reserve(steps: number): void {
    if ((this.#tick?.asked.length ?? 0) + steps > mostKeys) this.#flush();
  }

  #open(): Tick {
    if (this.#tick) return this.#tick;
    const tick = (this.#tick = emptyTick());
    process.nextTick(() => {
      if (this.#tick === tick) this.#flush();
    });
    return tick;
  }

  #flush(): void {
    const tick = this.#tick;
    this.#tick = undefined;
    if (!tick) return;
    if (tick.keys.length > 0) this.#sendReads(tick);
    if (tick.asked.length > 0) this.#sendSteps(tick);
  }

  #sendReads({ keys, readers }: Tick): void {
    const [first] = keys as [string];
    this.#health().guard(first, () => this.#wire.send(first, ['MGET', ...keys])).then(
      (values) => {
        for (const { place, resolve } of readers) resolve((values as readonly unknown[])[place]);
      },
      (error: unknown) => readers.forEach(({ reject }) => reject(error)),
    );
  }

  #sendSteps({ asked, answers }: Tick): void {
    const first = (asked[0] as Asked).key;
    const rest = [String(asked.length), ...this.#harness.arguments(asked, this.#now?.())];
    this.#health().guard(first, () => runScript(this.#wire, first, this.#harness, rest)).then(
      (replies) =>
        answers.forEach(({ decide, resolve, reject }, i) => settle(() => decide(Harness.reply(replies as readonly unknown[], i)), resolve, reject)),
      (error: unknown) => answers.forEach(({ instead, resolve, reject }) => settle(() => instead(error), resolve, reject)),
    );
  }
}

/** Runs the harness. Redis forgets scripts when it restarts or fails over; nothing else is sent twice, as it may have been done. */
export async function runScript(wire: Wire, key: string, { sha, source }: Harness, rest: readonly string[]): Promise<unknown> {
  try {
    return await wire.send(key, ['EVALSHA', sha, ...rest]);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return wire.send(key, ['EVAL', source, ...rest]);
    throw error;
  }
}

function settle(make: () => unknown, resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  try {
    resolve(make());
  } catch (error) {
    reject(error);
  }
}
