import { LRUCache } from 'lru-cache';

/** A least-recently-used map that grows by doubling, so that an empty one costs nothing: lru-cache reserves room for all at once. */
export class Recent<V extends object> {
  #map = new LRUCache<string, V>({ max: 64 });

  get size(): number {
    return this.#map.size;
  }
  get(key: string): V | undefined {
    return this.#map.get(key);
  }
  peek(key: string): V | undefined {
    return this.#map.peek(key);
  }
  set(key: string, entry: V): void {
    if (this.#map.size === this.#map.max) {
      const grown = new LRUCache<string, V>({ max: this.#map.max * 2 });
      for (const [old, kept] of this.#map.rentries() as Iterable<[string, V]>) grown.set(old, kept);
      this.#map = grown;
    }
    this.#map.set(key, entry);
  }
  delete(key: string): boolean {
    return this.#map.delete(key);
  }
  /** Removes the least recently used. */
  pop(): V | undefined {
    return this.#map.pop();
  }
  keys(): Iterable<string> {
    return this.#map.keys();
  }
}
