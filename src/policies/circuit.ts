import type { Clock } from '../core/clock.js';
import type { Window } from './circuitWindow.js';

/** What a circuit is. `half_open` lets a few probes through. */
export type CircuitState = 'closed' | 'open' | 'half_open';

/** A circuit as `premier.breakers` shows it. */
export interface CircuitInfo {
  readonly name: string;
  readonly state: CircuitState;
  /** Failures that count now: in a row, or in the window. */
  readonly failureCount: number;
  /** Successes since it was made or reset. */
  readonly successCount: number;
  /** Calls that it let through. */
  readonly totalCalls: number;
  /** Seconds until a probe may run; 0 unless it is open. */
  readonly retryAfter: number;
}

/** What a circuit is told when it is made. Times in milliseconds. */
export interface CircuitRules {
  readonly window: () => Window;
  readonly recoveryTimeout: number;
  readonly successThreshold: number;
  readonly halfOpenMax: number;
}

/** What others who share a circuit have a say in. */
export interface CircuitPeers {
  /** A call is about to be admitted or refused: a moment to look what the others say. */
  called(): void;
  /** Whether this process may send a probe now; otherwise how many milliseconds to stay away. */
  mayProbe(): true | number;
}

/** Hears of a change of state; `retryAfter` in seconds. */
export type CircuitListener = (circuit: Circuit, state: CircuitState, retryAfter: number) => void;

/** Leave to run. A probe's knows when it was given; every other one only the generation of the circuit it belongs to. */
export interface Permit {
  readonly circuit: Circuit;
  readonly generation: number;
  readonly at: number;
  readonly probe: boolean;
}

/**
 * The states of a circuit breaker (Nygard, "Release It!", 2007). Lazy: it looks at the clock when it is called, and has no timer. Every
 * change of state begins a new generation, and results of an earlier one do not count.
 */
export class Circuit {
  readonly name: string;
  readonly #clock: Clock;
  readonly #rules: CircuitRules;
  #window: Window;
  #state: CircuitState = 'closed';
  #generation = 0;
  #until = 0;
  #probes = new Set<Permit>();
  #goodProbes = 0;
  #successes = 0;
  #calls = 0;
  readonly #listeners = new Set<CircuitListener>();
  /** Those who share it in other processes. */
  peers: CircuitPeers | undefined;
  #plain: Permit = { circuit: this, generation: 0, at: 0, probe: false };

  constructor(name: string, clock: Clock, rules: CircuitRules) {
    this.name = name;
    this.#clock = clock;
    this.#rules = rules;
    this.#window = rules.window();
  }

  /** Tells `listener` of every change from now on. Returns the circuit. */
  heardBy(listener: CircuitListener): this {
    this.#listeners.add(listener);
    return this;
  }

  /** Leave to run, or how many milliseconds to stay away. */
  admit(): Permit | number {
    this.peers?.called();
    if (this.#state === 'closed') {
      this.#calls++;
      return this.#window.timed ? { circuit: this, generation: this.#generation, at: this.#clock.monotonic(), probe: false } : this.#plain;
    }
    const now = this.#clock.monotonic();
    if (this.#state === 'open') {
      if (now < this.#until) return Math.ceil(this.#until - now);
      this.#become('half_open');
    }
    const leave = this.peers?.mayProbe() ?? true;
    return leave === true ? this.#admitProbe(now) : leave;
  }

  #admitProbe(now: number): Permit | number {
    const { halfOpenMax, recoveryTimeout } = this.#rules;
    if (this.#probes.size >= halfOpenMax) {
      const [oldest] = this.#probes;
      const lease = (oldest as Permit).at + recoveryTimeout - now;
      if (lease > 0) return Math.ceil(lease);
      // A probe that never settles gives up its place.
      this.#probes.delete(oldest as Permit);
    }
    const permit: Permit = { circuit: this, generation: this.#generation, at: now, probe: true };
    this.#probes.add(permit);
    this.#calls++;
    return permit;
  }

  /** A call succeeded, in `slow` time or not. */
  succeeded(permit: Permit): void {
    if (permit.generation !== this.#generation) return;
    this.#successes++;
    if (!permit.probe) {
      const now = this.#window.timed ? this.#clock.monotonic() : 0;
      if (this.#window.success(now, now - permit.at)) this.#open();
      return;
    }
    if (this.#probes.delete(permit) && ++this.#goodProbes >= this.#rules.successThreshold) this.#become('closed');
  }

  /** A call failed in a way that counts. */
  failed(permit: Permit): void {
    if (permit.generation !== this.#generation) return;
    if (permit.probe) {
      if (this.#probes.delete(permit)) this.#open();
      return;
    }
    const now = this.#window.timed ? this.#clock.monotonic() : 0;
    if (this.#window.failure(now, now - permit.at)) this.#open();
  }

  /** A call ended in a way that says nothing: its leave is given back. */
  ignored(permit: Permit): void {
    if (permit.generation === this.#generation) this.#probes.delete(permit);
  }

  /** Opens by hand, until `close` or `reset`; with a time, for so many milliseconds. */
  forceOpen(forMs: number = Infinity): void {
    this.#open(forMs);
  }

  get state(): CircuitState {
    return this.#state;
  }

  close(): void {
    if (this.#state !== 'closed') this.#become('closed');
  }

  /** As on the first day. */
  reset(): void {
    this.close();
    this.#window = this.#rules.window();
    this.#successes = 0;
    this.#calls = 0;
  }

  get info(): CircuitInfo {
    const left = this.#state === 'open' ? Math.max(0, Math.ceil(this.#until - this.#clock.monotonic())) : 0;
    return {
      name: this.name,
      state: this.#state === 'open' && left === 0 ? 'half_open' : this.#state,
      failureCount: this.#window.failures,
      successCount: this.#successes,
      totalCalls: this.#calls,
      retryAfter: left / 1000,
    };
  }

  #open(forMs: number = this.#rules.recoveryTimeout): void {
    this.#until = this.#clock.monotonic() + forMs;
    this.#become('open', forMs / 1000);
  }

  #become(state: CircuitState, retryAfter: number = 0): void {
    this.#state = state;
    this.#generation++;
    this.#plain = { circuit: this, generation: this.#generation, at: 0, probe: false };
    this.#probes = new Set();
    this.#goodProbes = 0;
    if (state === 'closed') this.#window = this.#rules.window();
    for (const listener of this.#listeners) listener(this, state, retryAfter);
  }
}
