import { roster } from '../algorithms/index.js';
import { all } from '../core/all.js';
import { prefixOf } from '../core/keyspace.js';
import { openStore, type Provider } from '../core/provider.js';
import { CacheSpace } from './cacheSpace.js';
import { nodeOf } from './node.js';
import { SharedSpace } from './sharedSpace.js';
import { TagVersions } from './tagVersions.js';

/** More keys than this, and everything is dropped instead. */
const mostLate = 10_000;

/** All cache spaces of a provider, shared by everybody who uses it. */
export class CacheSpaces {
  static readonly #ofProvider = new WeakMap<Provider, CacheSpaces>();
  readonly #provider: Provider;
  readonly #spaces = new Map<string, CacheSpace>();
  readonly #bumps = new Map<string, TagVersions>();
  /** Keys by keyspace that are still to be dropped under names that nobody could be asked for. */
  readonly #late = new Map<string, Set<string>>();
  #watching = false;

  private constructor(provider: Provider) {
    this.#provider = provider;
  }

  static of(provider: Provider): CacheSpaces {
    let spaces = CacheSpaces.#ofProvider.get(provider);
    if (!spaces) CacheSpaces.#ofProvider.set(provider, (spaces = new CacheSpaces(provider)));
    return spaces;
  }

  /** The space of a name; `''` is the one of `premier.cache`. */
  open(keyspace: string, name: string): CacheSpace {
    const prefix = prefixOf(keyspace, 'cacheResult', name);
    let space = this.#spaces.get(prefix);
    if (!space) this.#spaces.set(prefix, (space = this.#make(keyspace, name, prefix)));
    return space;
  }

  #make(keyspace: string, name: string, prefix: string): CacheSpace {
    const store = openStore(this.#provider, prefix);
    const bumps = this.#bumpsOf(keyspace);
    const tags = this.#provider.tags?.(prefixOf(keyspace, 'tags'));
    if (!store.shared || !tags) return new CacheSpace(store, bumps);
    return new SharedSpace(store, bumps, {
      values: store.shared,
      tags,
      locks: openStore(this.#provider, prefixOf(keyspace, 'lock', name)),
      holder: nodeOf(this.#provider),
      enrol: () => this.#enrol(keyspace, name),
    });
  }

  /** Makes stale what carries one of the tags, here at once and elsewhere when the promise resolves. */
  async bump(keyspace: string, tags: readonly string[]): Promise<void> {
    this.#bumpsOf(keyspace).bump(tags);
    await this.#provider.tags?.(prefixOf(keyspace, 'tags')).bump(tags);
  }

  /** Drops keys under every name of a keyspace, also those that only other processes have used. */
  async dropEverywhere(keyspace: string, keys: readonly string[]): Promise<void> {
    const here = [...this.#spaces].filter(([prefix]) => prefix.startsWith(prefixOf(keyspace, 'cacheResult'))).map(([, space]) => space);
    const dropped = here.flatMap((space) => keys.map(async (key): Promise<unknown> => space.drop(key)));
    if (this.#provider.shared) dropped.push(this.#dropElsewhere(keyspace, keys, here));
    await all(dropped);
  }

  async #dropElsewhere(keyspace: string, keys: readonly string[], here: readonly CacheSpace[]): Promise<void> {
    const names = await this.#roster(keyspace, '').catch((error: unknown) => {
      this.#later(keyspace, keys);
      throw error;
    });
    const others = names.map((name) => this.open(keyspace, name)).filter((space) => !here.includes(space));
    await Promise.all(others.flatMap((space) => keys.map(async (key) => space.drop(key))));
  }

  /** What could not be dropped because nobody could be asked for the names is dropped once they can be. */
  #later(keyspace: string, keys: readonly string[]): void {
    const late = this.#late.get(keyspace) ?? new Set();
    for (const key of keys) if (late.size <= mostLate) late.add(key);
    this.#late.set(keyspace, late);
    if (this.#watching) return;
    this.#watching = true;
    this.#provider.watch?.(({ up }) => {
      if (up) this.#dropLate();
    });
  }

  #dropLate(): void {
    const late = [...this.#late];
    this.#late.clear();
    for (const [keyspace, keys] of late) {
      const dropped = keys.size > mostLate ? this.clear(prefixOf(keyspace, 'cacheResult')) : this.dropEverywhere(keyspace, [...keys]);
      dropped.catch(() => undefined);
    }
  }

  /** Drops all that begins with a prefix. */
  async clear(prefix: string): Promise<void> {
    for (const [name, space] of this.#spaces) if (name.startsWith(prefix)) space.forgetLoads();
    await this.#provider.clear(prefix);
  }

  /** Makes a name known, unless it is: the key that says so is lost together with the list, and costs less to ask for. */
  async #enrol(keyspace: string, name: string): Promise<void> {
    const known = prefixOf(keyspace, 'names', name);
    if (await this.#provider.has(known)) return;
    await this.#roster(keyspace, name);
    // Nobody waits for this one: without it, the next load makes the name known again.
    Promise.resolve(this.#provider.set(known, true)).catch(() => undefined);
  }

  /** Adds a name to those that somebody keeps something under; without one, answers with all of them. */
  async #roster(keyspace: string, name: string): Promise<readonly string[]> {
    return (await this.#provider.step(prefixOf(keyspace, 'names'), roster, { name })).names;
  }

  #bumpsOf(keyspace: string): TagVersions {
    let bumps = this.#bumps.get(keyspace);
    if (!bumps) this.#bumps.set(keyspace, (bumps = new TagVersions()));
    return bumps;
  }
}
