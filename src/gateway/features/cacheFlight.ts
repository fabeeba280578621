import type { Stored } from '../../http/caching/stored.js';

/** How a flight ended for somebody who waited: with an answer that may be theirs, or with the advice to go alone. */
export type Landed = { readonly stored: Stored; readonly stale: boolean } | undefined;

/** What an answer that is on its way turns out to depend on. */
export type Match = (waiter: Waiter) => boolean;

/** Who remembers for a while which requests are not worth waiting for. */
interface Remembers {
  setUnshared(name: string, is: boolean): void;
}

/** Somebody who waits for another's answer. */
export class Waiter {
  #flight: Flight | undefined;
  readonly #resolve: (landed: Landed) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    flight: Flight,
    resolve: (landed: Landed) => void,
    reject: (error: unknown) => void,
    readonly variantOf: (fields: readonly string[]) => string,
  ) {
    this.#flight = flight;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  land(landed: Landed): void {
    this.#flight?.waiters.delete(this);
    this.#flight = undefined;
    this.#resolve(landed);
  }

  /** It waits no longer: its client has left, or what it waits for has failed. */
  leave(error: unknown): void {
    const flight = this.#flight;
    this.#flight = undefined;
    flight?.waiters.delete(this);
    this.#reject(error);
    flight?.check();
  }
}

/** One request to the upstream that several callers share. */
export class Flight {
  readonly waiters = new Set<Waiter>();
  /** Which waiters the answer can be for, once its head is known. */
  match: Match | undefined = undefined;
  /** The one for whom it was begun waits for its head. */
  #led = true;
  readonly #flights: Map<string, Flight>;
  readonly #name: string;
  /** What is to be stopped when nobody waits any more. */
  #stop: ((reason: Error) => void) | undefined = undefined;

  constructor(
    flights: Map<string, Flight>,
    name: string,
    readonly key: string,
  ) {
    this.#flights = flights;
    this.#name = name;
    flights.set(name, this);
  }

  /** What is stopped when nobody waits for it any more. A refresh in the background has nobody who could leave. */
  onStop(stop: (reason: Error) => void): void {
    this.#stop = stop;
  }

  /** Whoever is on the way now waits for this no longer; others begin anew. */
  leaveTable(): void {
    if (this.#flights.get(this.#name) === this) this.#flights.delete(this.#name);
  }

  /** Waits for the whole answer; resolves with nothing at once where it is known not to fit. */
  join(variantOf: (fields: readonly string[]) => string, watch: (leave: (reason: unknown) => void) => void): Promise<Landed> {
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(this, resolve, reject, variantOf);
      if (this.match?.(waiter) === false) return waiter.land(undefined);
      this.waiters.add(waiter);
      watch((reason) => waiter.leave(reason));
    });
  }

  /** The answers are for others too, or are not: then nobody waits for them for a while. */
  share(space: Remembers): void {
    space.setUnshared(this.#name, false);
  }

  unshare(space: Remembers): void {
    space.setUnshared(this.#name, true);
  }

  /** The head came: waiters whom the answer does not fit go on their own. */
  found(match: Match): void {
    this.match = match;
    for (const waiter of this.waiters) if (!match(waiter)) waiter.land(undefined);
  }

  land(landed: Landed): void {
    this.leaveTable();
    for (const waiter of this.waiters) waiter.land(landed);
  }

  fail(error: unknown): void {
    this.leaveTable();
    for (const waiter of this.waiters) waiter.leave(error);
  }

  /** The one for whom it was begun has the head, and lets go of the body when it leaves. */
  pass(): void {
    this.#led = false;
  }

  /** The one for whom it was begun has left before. */
  unlead(): void {
    this.#led = false;
    this.check();
  }

  /** Stops what nobody waits for. */
  check(): void {
    if (this.#led || this.waiters.size > 0) return;
    this.leaveTable();
    this.#stop?.(unwanted);
  }
}

const unwanted = new Error('nobody waits for this answer any more');
