import type { Readable } from 'node:stream';
import type { Clock } from '../core/clock.js';
import { Deadline, type Deadlines, deadlinesOf } from '../core/deadlines.js';
import { fromReadable, type Source } from './body.js';

/** What is taken ahead of a reader. */
const mostAhead = 65_536;

/** What is to be known of a body that flows into a web stream. */
interface Flow {
  /** How long it may be silent, in milliseconds; 0 for as long as it takes. */
  readonly idle: number;
  readonly clock: Clock;
  /** It is over, one way or the other. */
  done(): void;
}

/**
 * A source as a web stream. Node's own `Readable.toWeb` throws where nobody can catch it when a reader cancels while chunks are on their way,
 * which would end the process.
 */
export function webOf(source: Source, flow?: Flow): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(new Pull(source, flow), new ByteLengthQueuingStrategy({ highWaterMark: mostAhead }));
}

/** The body of a request as a web stream. An app that cancels it does not end the connection on which its answer goes out. */
export function webOfRequest(body: Readable): ReadableStream<Uint8Array> {
  const source = fromReadable(body);
  return webOf({ start: (sink) => source.start(sink), resume: () => source.resume(), cancel: () => void body.pause() });
}

class Pull implements UnderlyingDefaultSource<Uint8Array> {
  readonly #source: Source;
  readonly #flow: Flow | undefined;
  readonly #silences: Deadlines | undefined;
  readonly #deadline = new Deadline<Pull>(this, silent);
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #paused = false;
  #over = false;

  constructor(source: Source, flow: Flow | undefined) {
    this.#source = source;
    this.#flow = flow;
    this.#silences = flow === undefined || flow.idle === 0 ? undefined : deadlinesOf(flow.clock, flow.idle);
  }

  pull(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#progress();
    if (this.#controller === undefined) return this.#start(controller);
    if (!this.#paused) return;
    this.#paused = false;
    this.#source.resume();
  }

  cancel(reason: unknown): void {
    this.#finish(() => this.#source.cancel(reason instanceof Error ? reason : new Error('the body is not wanted any more')));
  }

  /** Neither side moved for too long. */
  expire(): void {
    this.#finish(() => {
      this.#source.cancel(tooSilent);
      this.#controller?.error(tooSilent);
    });
  }

  #start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    this.#source.start({
      write: (chunk) => {
        if (this.#over) return true;
        this.#progress();
        controller.enqueue(chunk);
        this.#paused = (controller.desiredSize ?? 0) <= 0;
        return !this.#paused;
      },
      end: () => this.#finish(() => controller.close()),
      fail: (error) => this.#finish(() => controller.error(error)),
    });
  }

  #progress(): void {
    if (this.#silences === undefined || this.#over) return;
    this.#silences.remove(this.#deadline);
    this.#silences.add(this.#deadline);
  }

  #finish(last: () => void): void {
    if (this.#over) return;
    this.#over = true;
    this.#silences?.remove(this.#deadline);
    last();
    this.#flow?.done();
  }
}

const tooSilent = new Error('the body was silent for too long');

function silent(pull: Pull): void {
  pull.expire();
}
