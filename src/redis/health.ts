import { StoreUnavailableError } from '../core/errors.js';
import type { StoreChange } from '../core/provider.js';

/** What the health of one server needs to know. Milliseconds. */
export interface HealthRules {
  /** The server, as it is named to listeners. */
  readonly store: string;
  readonly deadline: number;
  /** Does what could not be done meanwhile. The server only counts as up when that worked. */
  readonly heal: () => Promise<void>;
  /** The server has not answered a probe for long: the client is to look whether another took its place. */
  readonly lost: () => void;
  readonly changed: (change: StoreChange) => void;
}

/** How long to wait between two probes: the first one comes soon, as most failures are short. */
const firstProbe = 50;
const lastProbe = 1000;
/** A connection on which nothing is answered for so long is given up. */
const silence = 2000;

/** A timer that fires so many milliseconds late says that this process was busy. */
const late = 20;

/** Looks whether a server works again. */
export type Probe = () => Promise<unknown>;

/**
 * Whether one server can be reached. No operation waits longer than the deadline, whatever the client's own settings; once one failed, the
 * following ones fail at once, and one probe at a time finds out when that is over.
 */
export class Health {
  readonly #rules: HealthRules;
  #downSince: number | undefined;
  #error: unknown;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(rules: HealthRules) {
    this.#rules = rules;
  }

  get up(): boolean {
    return this.#downSince === undefined;
  }

  /** Runs an operation under the deadline. Rejects with `StoreUnavailableError` when it fails, or did so lately; then `probe` looks when that is over. */
  guard(operation: () => Promise<unknown>, probe: Probe): Promise<unknown> {
    if (this.#downSince !== undefined) return Promise.reject(unavailable(this.#rules.store, this.#error));
    return this.attempt(operation).catch((failure: unknown) => {
      const error = bare(failure);
      if (isOutage(error)) this.#fell(error, probe);
      throw unavailable(this.#rules.store, error);
    });
  }

  /** Runs an operation under the deadline, up or down. */
  attempt(operation: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { deadline } = this.#rules;
      let timer: ReturnType<typeof setTimeout>;
      let settled = false;
      const wait = (patient: boolean): void => {
        const due = performance.now() + deadline;
        timer = setTimeout(() => {
          // A process that was busy may not even have sent it, or hold the answer already, unread.
          if (patient && performance.now() > due + late) return wait(false);
          setImmediate(() => {
            if (!settled) reject(new Error(`no answer within ${deadline} ms`));
          });
        }, deadline);
      };
      wait(true);
      const done =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          settled = true;
          clearTimeout(timer);
          settle(value);
        };
      operation().then(done(resolve), done(reject));
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #fell(error: unknown, probe: Probe): void {
    if (this.#downSince !== undefined || this.#closed) return;
    this.#downSince = performance.now();
    this.#error = error;
    this.#rules.changed({ up: false, store: this.#rules.store, error });
    this.#probeAfter(firstProbe, probe);
  }

  #probeAfter(wait: number, probe: Probe): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#probe(Math.min(lastProbe, wait * 2), probe), wait);
    this.#timer.unref();
  }

  async #probe(next: number, probe: Probe): Promise<void> {
    const { deadline, heal, store, changed, lost } = this.#rules;
    const asked = performance.now();
    const patience = setInterval(lost, silence);
    patience.unref();
    try {
      // It is waited for as long as it takes: so that no more than one command queues up in the client.
      await probe().catch((error: unknown) => {
        if (isOutage(error)) throw error;
      });
      if (performance.now() - asked > deadline) return this.#probeAfter(firstProbe, probe);
      await heal();
    } catch (error) {
      this.#error = bare(error);
      return this.#probeAfter(next, probe);
    } finally {
      clearInterval(patience);
    }
    if (this.#closed) return;
    const seconds = (performance.now() - (this.#downSince ?? asked)) / 1000;
    this.#downSince = undefined;
    this.#error = undefined;
    changed({ up: true, store, seconds });
  }
}

/** An error without the command that it is about: keys and values do not belong into logs. */
function bare(error: unknown): unknown {
  if (!(error instanceof Error) || !('command' in error)) return error;
  const { name, message } = error;
  return Object.assign(new Error(message), { name });
}

/** What a failure of the store looks like to everybody else. */
function unavailable(store: string, cause: unknown): StoreUnavailableError {
  if (cause instanceof StoreUnavailableError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  if (isOutage(cause)) return new StoreUnavailableError(`${store} cannot be reached: ${why}`, { cause });
  return new StoreUnavailableError(`${store} refused: ${why}`, { cause, down: false });
}

/** What a server says that cannot serve now, on its own or (before Redis 7) inside the error of a script. */
const outage = /\b(OOM|READONLY|MISCONF|NOREPLICAS|LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|max number of clients)\b/;

/** Whether an error says that the server is out of order, and not that this one command was wrong. */
export function isOutage(error: unknown): boolean {
  if (error instanceof StoreUnavailableError) return error.down;
  const message = error instanceof Error ? error.message : '';
  return outage.test(message) || !/^(ERR|WRONGTYPE|NOSCRIPT|CROSSSLOT|NOPERM)\b/.test(message);
}
