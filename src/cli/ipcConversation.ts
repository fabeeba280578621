import type { Clock, Timer } from '../core/clock.js';
import { StoreUnavailableError } from '../core/errors.js';

/** What one process writes to the other. The first member tells it from messages of others on the same channel. */
type Message =
  | { readonly premier: 'ask'; readonly id: number; readonly kind: string; readonly body: unknown }
  | { readonly premier: 'tell'; readonly kind: string; readonly body: unknown }
  | { readonly premier: 'answer'; readonly id: number; readonly body: unknown }
  | { readonly premier: 'failure'; readonly id: number; readonly message: string };

/** How to write to the other process, and what it may ask for or tell. */
export interface Ends {
  readonly clock: Clock;
  /** Writes a message, and says whether that went well. */
  send(message: unknown, sent: (error: Error | null) => void): void;
  /** Answers what the other one asks. */
  asked(kind: string, body: unknown): unknown;
  /** Hears what the other one tells. */
  told(kind: string, body: unknown): void;
}

interface Waiting {
  readonly kind: string;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
  timer: Timer | undefined;
}

/** Questions, answers and news between the primary process and one worker. No question waits for longer than its deadline. */
export class Conversation {
  readonly #ends: Ends;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #over = false;

  constructor(ends: Ends) {
    this.#ends = ends;
  }

  /** Asks the other process. Rejects when it says that it failed, is silent until the deadline, or is gone. Milliseconds. */
  ask(kind: string, body: unknown, deadline?: number): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { kind, resolve, reject, timer: undefined };
      this.#waiting.set(id, waiting);
      if (deadline !== undefined) {
        const late = (): void => this.#take(id)?.reject(new StoreUnavailableError(`${kind}: no answer within ${deadline} ms`));
        waiting.timer = this.#ends.clock.setTimer(late, deadline);
      }
      this.#send({ premier: 'ask', id, kind, body }, (error) => this.#take(id)?.reject(error));
    });
  }

  /** Tells the other process, which does not answer. */
  tell(kind: string, body: unknown): void {
    this.#send({ premier: 'tell', kind, body }, () => undefined);
  }

  /** Takes a message of the channel. What is none of ours is left alone. */
  received(given: unknown): void {
    const message = given as Message | null;
    switch (message?.premier) {
      case 'ask':
        void this.#answer(message.id, message.kind, message.body);
        return;
      case 'tell':
        this.#ends.told(message.kind, message.body);
        return;
      case 'answer':
        this.#take(message.id)?.resolve(message.body);
        return;
      case 'failure':
        this.#take(message.id)?.reject(new Error(message.message));
        return;
      default:
    }
  }

  /** The other process is gone: nothing is answered any more. */
  close(): void {
    this.#over = true;
    for (const id of this.#waiting.keys()) this.#take(id)?.reject(gone());
  }

  async #answer(id: number, kind: string, body: unknown): Promise<void> {
    try {
      // What is known without waiting is answered within the same tick.
      const made = this.#ends.asked(kind, body);
      this.#reply(id, made instanceof Promise ? await made : made);
    } catch (error) {
      this.#send({ premier: 'failure', id, message: messageOf(error) }, () => undefined);
    }
  }

  #reply(id: number, body: unknown): void {
    const failed = (error: Error): void => this.#send({ premier: 'failure', id, message: error.message }, () => undefined);
    this.#send({ premier: 'answer', id, body }, failed);
  }

  #send(message: Message, failed: (error: Error) => void): void {
    if (this.#over) return failed(gone());
    try {
      this.#ends.send(message, (error) => {
        if (error) failed(new StoreUnavailableError('the other process cannot be reached', { cause: error }));
      });
    } catch (cause) {
      // What cannot be cloned throws here.
      failed(new StoreUnavailableError('the other process cannot be reached', { cause }));
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.timer?.clear();
    return waiting;
  }
}

const gone = (): StoreUnavailableError => new StoreUnavailableError('the other process is gone');

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
