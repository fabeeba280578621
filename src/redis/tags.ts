import type { Tags } from '../core/provider.js';
import type { Link } from './link.js';
import { count, forever, mark } from './values.js';

/** A load that takes longer than this cannot tell whether a tag was bumped meanwhile, in milliseconds. */
const remembered = 2 * 3_600_000;

/**
 * Tags in Redis: a counter, and for each tag the number of its last bump, remembered for longer than any value that carries it lives. A tag
 * that Redis does not know (any more) makes stale what carries it.
 */
export class RedisTags implements Tags {
  readonly #link: Link;
  readonly #prefix: string;

  constructor(link: Link, prefix: string) {
    this.#link = link;
    this.#prefix = prefix;
  }

  async latest(): Promise<number> {
    const known = await this.#link.read(this.#counter, numberIn);
    return known === Infinity ? this.#link.change(this.#counter, count, 0) : known;
  }

  bump(tags: readonly string[]): Promise<number> {
    const link = this.#link;
    const keys = [this.#counter, ...tags.map((tag) => this.#key(tag))];
    const debt = {
      // What lies on several servers must not keep one of them down until the others are up.
      server: () => (new Set(keys.map((key) => link.serverOf(key))).size === 1 ? link.serverOf(this.#counter) : undefined),
      prefix: this.#prefix,
      action: async () => {
        const number = await link.now(this.#counter, count, 1);
        await Promise.all(tags.map((tag) => link.now(this.#key(tag), mark, { number, ttl: remembered })));
      },
    };
    return link.must(`bump ${this.#prefix}${tags.join('\n')}`, debt, async () => {
      const number = await link.change(this.#counter, count, 1);
      await Promise.all(tags.map((tag) => link.change(this.#key(tag), mark, { number, ttl: remembered })));
      return number;
    });
  }

  numbers(tags: readonly string[]): Promise<readonly number[]> {
    return Promise.all(tags.map((tag) => this.#link.read(this.#key(tag), numberIn)));
  }

  async hold(tags: readonly string[], ttlMs: number | undefined, since: number): Promise<readonly number[]> {
    // A tag that is not known may have been bumped and forgotten since the load began.
    const latest = Math.max(since, await this.latest());
    const ttl = (ttlMs ?? forever) + remembered;
    return Promise.all(tags.map((tag) => this.#link.change(this.#key(tag), mark, { number: 0, ttl, since: latest })));
  }

  #key(tag: string): string {
    return `${this.#prefix}=${tag}`;
  }

  get #counter(): string {
    return `${this.#prefix}#`;
  }
}

/** The number that a text begins with; `Infinity` for none. */
const numberIn = (text: unknown): number => (typeof text === 'string' && /^\d/.test(text) ? Number.parseInt(text, 10) : Infinity);
