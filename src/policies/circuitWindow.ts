/** What a closed circuit remembers. Each call tells whether the circuit has to open. */
export interface Window {
  /** Whether it needs instants and latencies, in milliseconds; if not, they are 0. */
  readonly timed: boolean;
  /** Failures that count now. */
  readonly failures: number;
  success(now: number, latency: number): boolean;
  failure(now: number, latency: number): boolean;
}

/** Opens after so many failures in a row. */
export class Consecutive implements Window {
  readonly timed = false;
  readonly #threshold: number;
  failures = 0;

  constructor(threshold: number) {
    this.#threshold = threshold;
  }
  success(): boolean {
    this.failures = 0;
    return false;
  }
  failure(): boolean {
    return ++this.failures >= this.#threshold;
  }
}

/** When a window of outcomes opens a circuit. A rate is a share from 0 to 1; reaching it counts. */
export interface RateRules {
  readonly minCalls: number;
  readonly failureRate: number;
  /** Milliseconds from which a call is slow; `undefined` looks at no clock. */
  readonly slowAfter: number | undefined;
  readonly slowRate: number;
}

const failedBit = 1;
const slowBit = 2;

/** The last so many calls, as a ring: one byte a call. */
export class LastCalls implements Window {
  readonly timed: boolean;
  readonly #rules: RateRules;
  readonly #ring: Uint8Array;
  #next = 0;
  #calls = 0;
  #slow = 0;
  failures = 0;

  constructor(size: number, rules: RateRules) {
    this.#ring = new Uint8Array(size);
    this.#rules = rules;
    this.timed = rules.slowAfter !== undefined;
  }

  success(_now: number, latency: number): boolean {
    return this.#add(0, latency);
  }
  failure(_now: number, latency: number): boolean {
    return this.#add(failedBit, latency);
  }

  #add(failed: number, latency: number): boolean {
    const { slowAfter } = this.#rules;
    const outcome = slowAfter !== undefined && latency >= slowAfter ? failed | slowBit : failed;
    const old = this.#ring[this.#next] as number;
    this.#ring[this.#next] = outcome;
    this.#next = this.#next + 1 === this.#ring.length ? 0 : this.#next + 1;
    if (this.#calls < this.#ring.length) this.#calls++;
    // Where a good call follows a good one nothing has become worse, unless there are enough calls for the first time.
    if ((old | outcome) === 0 && this.#calls !== this.#rules.minCalls) return false;
    this.failures += (outcome & failedBit) - (old & failedBit);
    this.#slow += (outcome >> 1) - (old >> 1);
    return tripped(this.#calls, this.failures, this.#slow, this.#rules);
  }
}

/** The last so many seconds, in ten buckets that are cleared when their time is over and somebody calls. */
export class LastSeconds implements Window {
  readonly timed = true;
  readonly #rules: RateRules;
  readonly #width: number;
  readonly #calls = new Uint32Array(buckets);
  readonly #failed = new Uint32Array(buckets);
  readonly #slow = new Uint32Array(buckets);
  #newest = -Infinity;
  #totalCalls = 0;
  #totalSlow = 0;
  failures = 0;

  constructor(ms: number, rules: RateRules) {
    this.#width = ms / buckets;
    this.#rules = rules;
  }

  success(now: number, latency: number): boolean {
    return this.#add(now, 0, latency);
  }
  failure(now: number, latency: number): boolean {
    return this.#add(now, 1, latency);
  }

  #add(now: number, failed: number, latency: number): boolean {
    const { slowAfter } = this.#rules;
    const slow = slowAfter !== undefined && latency >= slowAfter ? 1 : 0;
    const bucket = Math.floor(now / this.#width);
    for (let stale = Math.max(0, this.#newest + 1, bucket - buckets + 1); stale <= bucket; stale++) this.#clear(stale % buckets);
    this.#newest = Math.max(this.#newest, bucket);
    const i = bucket % buckets;
    (this.#calls[i] as number)++;
    this.#failed[i] = (this.#failed[i] as number) + failed;
    this.#slow[i] = (this.#slow[i] as number) + slow;
    this.#totalCalls++;
    this.failures += failed;
    this.#totalSlow += slow;
    const enough = this.#totalCalls === this.#rules.minCalls;
    return (enough || (failed | slow) !== 0) && tripped(this.#totalCalls, this.failures, this.#totalSlow, this.#rules);
  }

  #clear(i: number): void {
    this.#totalCalls -= this.#calls[i] as number;
    this.failures -= this.#failed[i] as number;
    this.#totalSlow -= this.#slow[i] as number;
    this.#calls[i] = this.#failed[i] = this.#slow[i] = 0;
  }
}

const buckets = 10;

function tripped(calls: number, failures: number, slow: number, rules: RateRules): boolean {
  if (calls < rules.minCalls) return false;
  return failures >= rules.failureRate * calls || (rules.slowAfter !== undefined && slow >= rules.slowRate * calls);
}
