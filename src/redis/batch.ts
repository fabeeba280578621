import type { Ask } from './ask.js';
import { Harness, type Run } from './harness.js';
import type { Health, Probe } from './health.js';
import type { Wire } from './wire.js';

/** More than this many keys in one command, and Redis would rest while this process reads its answers, and the other way round. */
const mostKeys = 128;

/** Who waits for the text under a key. */
interface Reader {
  readonly place: number;
  readonly heard: (text: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** What a tick asks of the keys of one shard: first what is only read, then the steps, in the order in which they were asked. */
class Tick {
  readonly keys: string[] = [];
  readonly places = new Map<string, number>();
  readonly readers: Reader[] = [];
  readonly asks: AnyAsk[] = [];
  readonly stepped = new Set<string>();
}

/** A step, whatever it is about. */
export type AnyAsk = Ask<never, never>;

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
  /** What the next tick waits for. */
  #next: Promise<void> | undefined;

  constructor(wire: Wire, harness: Harness, health: () => Health, now: (() => number) | undefined) {
    this.#wire = wire;
    this.#harness = harness;
    this.#health = health;
    this.#now = now;
  }

  /** The text under a key, or `null`, as `decode` reads it. */
  read<T>(key: string, decode: (text: unknown) => T): Promise<T> {
    // Who reads after a step of the same tick sees what it wrote, also where its script has to be sent once more.
    if (this.#tick?.stepped.has(key)) this.#next = this.#flush();
    const tick = this.#open();
    let place = tick.places.get(key);
    if (place === undefined) {
      tick.places.set(key, (place = tick.keys.length));
      tick.keys.push(key);
    }
    const at = place;
    const read = new Promise<T>((resolve, failed) => tick.readers.push({ place: at, heard: (text) => resolve(decode(text)), failed }));
    if (tick.readers.length >= mostKeys) void this.#flush();
    return read;
  }

  /** One step. `readable` says that the key may be read as well. */
  step(ask: AnyAsk, readable: boolean): void {
    const tick = this.#open();
    if (readable) tick.stepped.add(ask.key);
    tick.asks.push(ask);
    if (tick.asks.length >= mostKeys) void this.#flush();
  }

  /** Makes room for so many steps that must not be torn apart. */
  reserve(steps: number): void {
    if ((this.#tick?.asks.length ?? 0) + steps > mostKeys) void this.#flush();
  }

  #open(): Tick {
    if (this.#tick) return this.#tick;
    const tick = (this.#tick = new Tick());
    process.nextTick(() => {
      if (this.#tick === tick) void this.#flush();
    });
    return tick;
  }

  /** Sends what was asked. Resolves when the steps are answered. */
  #flush(): Promise<void> | undefined {
    const tick = this.#tick;
    const first = this.#next;
    this.#tick = undefined;
    this.#next = undefined;
    if (!tick) return undefined;
    return first ? first.then(() => this.#send(tick)) : this.#send(tick);
  }

  #send(tick: Tick): Promise<void> | undefined {
    if (tick.keys.length > 0) this.#sendReads(tick);
    return tick.asks.length > 0 ? this.#sendSteps(tick) : undefined;
  }

  #sendReads({ keys, readers }: Tick): void {
    const [first] = keys as [string];
    this.#health()
      .guard(() => this.#wire.send(first, ['MGET', ...keys]), probeOf(this.#wire, first))
      .then(
        (values) => {
          for (const { place, heard } of readers) heard(textOf((values as readonly unknown[])[place]));
        },
        (error: unknown) => readers.forEach(({ failed }) => failed(error)),
      );
  }

  #sendSteps({ asks }: Tick): Promise<void> {
    const first = (asks[0] as AnyAsk).key;
    const run = this.#harness.run(asks, this.#now?.());
    return this.#health()
      .guard(() => runScript(this.#wire, first, run), probeOf(this.#wire, first))
      .then(
        (replies) => {
          for (let i = 0; i < asks.length; i++) (asks[i] as AnyAsk).answered(Harness.reply(replies as readonly unknown[], i));
        },
        (error: unknown) => {
          for (const ask of asks) ask.failed(error);
        },
      );
  }
}

/** Runs the harness. Redis forgets scripts when it restarts or fails over; nothing else is sent twice, as it may have been done. */
export function runScript(wire: Wire, key: string, { script, rest }: Run): Promise<unknown> {
  return wire.send(key, ['EVALSHA', script.sha, ...rest]).catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return wire.send(key, ['EVAL', script.source, ...rest]);
    throw error;
  });
}

/** Looks whether a key can be written again, without writing. */
function probeOf(wire: Wire, key: string): Probe {
  return () => wire.send(key, ['SETRANGE', key, '0', '']);
}

/** Some clients are set up to answer with bytes. */
const textOf = (value: unknown): unknown => (value instanceof Uint8Array ? Buffer.from(value).toString() : value);
