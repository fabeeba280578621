/** How many samples make a judgement. */
const window = 20;
/** Slower than this many times the usual is too slow. */
const tolerance = 2;
/** More failures than this share are too many. */
const tooMany = 0.1;

/**
 * A concurrency limit that is found by additive increase and multiplicative decrease (Chiu and Jain, 1989), as in Netflix' AIMD limit,
 * with two guards of its gradient limits: it grows only while at least half of it is in use, and "usual" follows slow changes only.
 */
export class AdaptiveLimit {
  current: number;
  readonly #most: number;
  readonly #latencies: number[] = [];
  #failures = 0;
  #busiest = 0;
  #usual: number | undefined;

  constructor(most: number) {
    this.#most = most;
    this.current = Math.min(20, most);
  }

  /** Takes a call's latency in milliseconds and how many were running with it. Whether the limit has changed. */
  sample(latency: number, failed: boolean, running: number): boolean {
    this.#latencies.push(latency);
    if (failed) this.#failures++;
    if (running > this.#busiest) this.#busiest = running;
    if (this.#latencies.length < window) return false;

    const median = this.#latencies.toSorted((a, b) => a - b)[window >> 1] as number;
    const usual = (this.#usual ??= median);
    const slow = median > tolerance * usual && median > 1;
    const failing = this.#failures > tooMany * window;
    const before = this.current;
    if (slow || failing) this.current = Math.max(1, Math.floor(this.current * 0.9));
    else if (this.#busiest * 2 >= this.current) this.current = Math.min(this.#most, this.current + 1);
    // Quicker is believed at once; slower becomes usual over some fifty windows.
    if (!failing) this.#usual = median < usual ? median : usual + (median - usual) * 0.02;
    this.#latencies.length = 0;
    this.#failures = 0;
    this.#busiest = 0;
    return this.current !== before;
  }
}
