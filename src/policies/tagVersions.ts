import { LRUCache } from 'lru-cache';

/**
 * Tags as integer versions, without a clock. Every bump takes the next number; a load remembers the number at which it began, and what
 * it loaded is valid as long as none of its tags was bumped after that. Bounded: a tag that is forgotten counts as bumped when the
 * last forgotten one was.
 */
export class TagVersions {
  #latest = 0;
  #forgotten = 0;
  readonly #versions = new LRUCache<string, number>({
    max: 100_000,
    dispose: (version, _tag, reason) => {
      if (reason === 'evict') this.#forgotten = Math.max(this.#forgotten, version);
    },
  });

  /** The number of the last bump. */
  get latest(): number {
    return this.#latest;
  }

  bump(tags: readonly string[]): void {
    this.#latest++;
    for (const tag of tags) this.#versions.set(tag, this.#latest);
  }

  /** Whether none of the tags was bumped after `since`. */
  untouched(tags: readonly string[], since: number): boolean {
    return tags.every((tag) => (this.#versions.get(tag) ?? this.#forgotten) <= since);
  }
}
