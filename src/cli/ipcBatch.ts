import type { Clock } from '../core/clock.js';
import { StoreUnavailableError } from '../core/errors.js';
import type { StoreChange } from '../core/provider.js';
import type { Conversation } from './ipcConversation.js';
import type { StoreAsk, StoreReply } from './ipcStore.js';

interface Waiting {
  readonly ask: StoreAsk;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** What the store is called where its health is told. */
const store = 'the primary process';

/** Asks the primary process, all that is asked within one tick in one message, and knows whether it answers. */
export class Batch {
  readonly #conversation: Conversation;
  readonly #clock: Clock;
  readonly #deadline: number;
  readonly #changed: (change: StoreChange) => void;
  #waiting: Waiting[] = [];
  #downSince: number | undefined;

  /** The deadline in milliseconds; `changed` is told when the primary falls silent, and when it speaks again. */
  constructor(conversation: Conversation, clock: Clock, deadline: number, changed: (change: StoreChange) => void) {
    this.#conversation = conversation;
    this.#clock = clock;
    this.#deadline = deadline;
    this.#changed = changed;
  }

  get up(): boolean {
    return this.#downSince === undefined;
  }

  /** Rejects with `StoreUnavailableError` when there is no answer in time, and at once while the primary is silent. */
  ask<T>(ask: StoreAsk): Promise<T> {
    if (!this.up) return Promise.reject(silent());
    return new Promise<T>((resolve, reject) => {
      // Once the sockets of this tick have been read, all their requests travel together.
      if (this.#waiting.push({ ask, resolve, reject }) === 1) setImmediate(this.#flush);
    });
  }

  readonly #flush = (): void => {
    const batch = this.#waiting;
    this.#waiting = [];
    const asks = batch.map(({ ask }) => ask);
    this.#conversation.ask('store', asks, this.#deadline).then(
      (replies) => batch.forEach((waiting, i) => settle(waiting, (replies as readonly StoreReply[])[i])),
      (cause: unknown) => {
        this.#fell(cause);
        for (const { reject } of batch) reject(silent(cause));
      },
    );
  };

  /** From here on all is refused at once, until the primary speaks again. Messages keep their order: one question finds out. */
  #fell(error: unknown): void {
    if (!this.up) return;
    const since = this.#clock.monotonic();
    this.#downSince = since;
    this.#changed({ up: false, store, error });
    this.#conversation.ask('store', []).then(
      () => {
        this.#downSince = undefined;
        this.#changed({ up: true, store, seconds: (this.#clock.monotonic() - since) / 1000 });
      },
      // It is gone for good, and takes this worker with it.
      () => undefined,
    );
  }
}

function settle({ resolve, reject }: Waiting, reply: StoreReply | undefined): void {
  if (reply === undefined) reject(silent());
  else if (reply[1] !== undefined) reject(new Error(reply[1]));
  else resolve(reply[0] as never);
}

const silent = (cause?: unknown): StoreUnavailableError =>
  new StoreUnavailableError('the primary process, which counts for all workers, does not answer', { cause });
