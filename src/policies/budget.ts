/**
 * A retry budget, the deposit model of Finagle's `RetryBudget`: every call deposits `ratio`, every retry takes 1, so that retries are
 * at most that share of the calls; `min` retries are free, and as many more than ten times that are never saved up.
 */
export class Budget {
  readonly #ratio: number;
  readonly #most: number;
  #balance: number;

  constructor(of: number | { readonly ratio: number; readonly min: number }) {
    const { ratio, min } = typeof of === 'number' ? { ratio: of, min: 3 } : of;
    this.#ratio = ratio;
    this.#balance = min;
    this.#most = Math.max(min, 1) * 10;
  }

  /** A call has begun. */
  deposit(): void {
    this.#balance = Math.min(this.#most, this.#balance + this.#ratio);
  }

  /** Whether one more retry may be made; takes it if so. */
  spend(): boolean {
    if (this.#balance < 1 - 1e-9) return false;
    this.#balance -= 1;
    return true;
  }
}
