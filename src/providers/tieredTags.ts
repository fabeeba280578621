import { LRUCache } from 'lru-cache';
import type { Tags } from '../core/provider.js';

/** Tags whose numbers this process remembers for as long as it hears of every bump. */
export class TieredTags implements Tags {
  readonly #remote: Tags;
  readonly #hearing: () => boolean;
  readonly #tell: (names: readonly string[], number: number | undefined) => Promise<void>;
  #known = new LRUCache<string, number>({ max: 100_000 });

  constructor(remote: Tags, hearing: () => boolean, tell: (names: readonly string[], number: number | undefined) => Promise<void>) {
    this.#remote = remote;
    this.#hearing = hearing;
    this.#tell = tell;
  }

  latest(): Promise<number> {
    return this.#remote.latest();
  }

  async bump(tags: readonly string[]): Promise<number> {
    for (const tag of tags) this.#known.delete(tag);
    let number: number | undefined;
    try {
      number = await this.#remote.bump(tags);
      this.learn(tags, number);
      return number;
    } finally {
      await this.#tell(tags, number);
    }
  }

  async numbers(tags: readonly string[]): Promise<readonly number[]> {
    const known = tags.map((tag) => (this.#hearing() ? this.#known.get(tag) : undefined));
    const missing = tags.filter((_, i) => known[i] === undefined);
    if (missing.length === 0) return known as number[];
    const memory = this.#known;
    const fetched = await this.#remote.numbers(missing);
    // What was forgotten meanwhile may have been bumped unheard.
    if (memory === this.#known && this.#hearing()) missing.forEach((tag, i) => this.learn([tag], fetched[i]));
    return tags.map((_, i) => known[i] ?? (fetched[missing.indexOf(tags[i] as string)] as number));
  }

  hold(tags: readonly string[], ttlMs: number | undefined, since: number): Promise<readonly number[]> {
    return this.#remote.hold(tags, ttlMs, since);
  }

  /** A tag was bumped, or was seen to have been. Numbers only grow; where the number is not known, neither is any other. */
  learn(tags: readonly string[], number: number | undefined): void {
    if (number === undefined) return this.forget();
    if (number === Infinity) return;
    for (const tag of tags) this.#known.set(tag, Math.max(number, this.#known.get(tag) ?? 0));
  }

  /** Nothing is known any more. */
  forget(): void {
    this.#known = new LRUCache({ max: 100_000 });
  }
}
