import type { Worker } from 'node:cluster';
import { type Clock, systemClock } from '../core/clock.js';
import type { MetricsSnapshot } from '../observe/exposition.js';
import { Conversation } from './ipcConversation.js';
import type { Started } from './serveBanner.js';

/** What a worker says when it listens. */
export interface Ready extends Omit<Started, 'sample'> {
  /** How long it may take to end in an orderly way, in milliseconds. */
  readonly stopWithin: number;
}

/** What the primary does for a worker. */
export interface MemberActions {
  asked(member: Member, kind: string, body: unknown): unknown;
  told(member: Member, kind: string, body: unknown): void;
  exited(member: Member, how: string): void;
}

/** One worker, as the primary process sees it. */
export class Member {
  readonly conversation: Conversation;
  readonly pid: number;
  readonly since: number;
  /** Set once it listens. */
  ready: Ready | undefined;
  /** Why it could not start, in its own words. */
  failure: string | undefined;
  /** What it had counted when it was last asked. */
  snapshot: MetricsSnapshot | undefined;
  /** The number of the configuration that it serves. */
  generation: number;
  /** The port that it was told to ask for. */
  port: number | undefined;
  leaving = false;
  readonly #worker: Worker;

  constructor(worker: Worker, generation: number, actions: MemberActions, clock: Clock = systemClock) {
    this.#worker = worker;
    this.pid = worker.process.pid ?? 0;
    this.since = clock.monotonic();
    this.generation = generation;
    this.conversation = new Conversation({
      clock,
      send: (message, sent) => void worker.send(message as object, sent),
      asked: (kind, body) => actions.asked(this, kind, body),
      told: (kind, body) => actions.told(this, kind, body),
    });
    worker.on('message', (message: unknown) => this.conversation.received(message));
    worker.on('error', () => undefined);
    worker.once('exit', (code, signal) => {
      this.conversation.close();
      actions.exited(this, signal === null ? `exit code ${code}` : signal);
    });
  }

  /** Asks it to end in an orderly way; it tells what it has counted, and exits. */
  leave(): void {
    if (this.leaving) return;
    this.leaving = true;
    if (this.ready === undefined) return this.kill();
    this.conversation.ask('stop', undefined).then(
      (snapshot) => {
        this.snapshot = snapshot as MetricsSnapshot;
        this.conversation.tell('exit', undefined);
      },
      () => this.kill(),
    );
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }
}
