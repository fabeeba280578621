import { LRUCache } from 'lru-cache';
import type { Stored } from '../../http/caching/stored.js';
import { variantOf } from '../../http/caching/varying.js';
import type { RawHeaders } from '../../http/headers.js';

/** A response as it is kept. */
export interface Kept {
  readonly stored: Stored;
  readonly statusText: string;
  /** The request fields that it depends on, and what they said. */
  readonly fields: readonly string[];
  readonly variant: string;
}

/** An answer on its way. It is not kept when its address was changed meanwhile. */
export interface Filling {
  readonly address: string;
  dropped: boolean;
}

/** More answers to one request that differ by its fields are not kept: the oldest goes. */
const mostVariants = 16;

/** The answers of a client, by address and by who asks. */
export class CacheStore {
  readonly #shelves: LRUCache<string, readonly Kept[]>;
  /** The keys under which answers to an address lie. */
  readonly #keys = new Map<string, Set<string>>();
  readonly #fillings = new Set<Filling>();

  constructor(maxBytes: number) {
    this.#shelves = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (shelf) => shelf.reduce((sum, { stored }) => sum + stored.body.length + ofHead, ofHead),
      dispose: (_shelf, key, reason) => {
        if (reason !== 'set') this.#unlist(key);
      },
    });
  }

  /** The answer to a request with these fields. */
  find(address: string, who: string, headers: RawHeaders, now: number): Kept | undefined {
    const shelf = this.#shelves.get(keyOf(address, who));
    return shelf?.find(({ fields, variant, stored }) => now < stored.keepUntil && saidIn(fields, headers) === variant);
  }

  /** Says that an answer is on its way: it must be let go by `end`. */
  begin(address: string): Filling {
    const filling: Filling = { address, dropped: false };
    this.#fillings.add(filling);
    return filling;
  }

  end(filling: Filling): void {
    this.#fillings.delete(filling);
  }

  /** Keeps an answer in place of the one to the same request. */
  keep(
    { address, dropped }: Filling,
    who: string,
    headers: RawHeaders,
    fields: readonly string[],
    one: Pick<Kept, 'stored' | 'statusText'>,
  ): void {
    if (dropped) return;
    const kept: Kept = { ...one, fields, variant: saidIn(fields, headers) };
    const key = keyOf(address, who);
    const others = this.#others(key, headers);
    this.#shelves.set(key, [kept, ...others].slice(0, mostVariants));
    // What is larger than the whole cache is not kept.
    if (!this.#shelves.has(key)) return;
    const keys = this.#keys.get(address);
    if (keys === undefined) this.#keys.set(address, new Set([key]));
    else keys.add(key);
  }

  /** Forgets the answer to one request. */
  forget(address: string, who: string, headers: RawHeaders): void {
    const key = keyOf(address, who);
    if (!this.#shelves.has(key)) return;
    const others = this.#others(key, headers);
    if (others.length === 0) this.#shelves.delete(key);
    else this.#shelves.set(key, others);
  }

  /** Drops what is kept for an address, whoever asked, and what is on its way. */
  drop(address: string): void {
    for (const filling of this.#fillings) if (filling.address === address) filling.dropped = true;
    for (const key of Array.from(this.#keys.get(address) ?? [])) this.#shelves.delete(key);
  }

  #others(key: string, headers: RawHeaders): readonly Kept[] {
    return (this.#shelves.peek(key) ?? []).filter(({ fields, variant }) => saidIn(fields, headers) !== variant);
  }

  #unlist(key: string): void {
    const address = key.slice(0, key.indexOf('\n'));
    const keys = this.#keys.get(address);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(address);
  }
}

/** What an entry costs beside its body. */
const ofHead = 1024;

const keyOf = (address: string, who: string): string => `${address}\n${who}`;

const saidIn = (fields: readonly string[], headers: RawHeaders): string => variantOf(fields, headers, () => '');
