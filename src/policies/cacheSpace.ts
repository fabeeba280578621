import type { Clock } from '../core/clock.js';
import { prefixOf } from '../core/keyspace.js';
import { type Awaitable, openStore, type Provider, type Store } from '../core/provider.js';
import { TagVersions } from './tagVersions.js';

/** A value as the provider keeps it. Instants in milliseconds. */
export interface Cached {
  readonly value: unknown;
  readonly freshUntil: number;
  /** How long loading it took: what XFetch scales its guess by. */
  readonly took: number;
  /** The number of the last tag bump when its load began. */
  readonly since: number;
  readonly tags: readonly string[] | undefined;
}

/** A load that is under way. Once `stale`, its result goes to those who asked before, and nowhere else. */
export interface Load {
  stale: boolean;
  /** The number of the last tag bump when it began. */
  readonly since: number;
  /** The one that it took over from, after a tag was bumped: that one may still keep what it brings, unless this one is quicker. */
  readonly older: Load | undefined;
  /** How many wait for it and may give up; `Infinity` when somebody never does. The last one who leaves ends it. */
  waiting: number;
  /** Aborts what it runs. */
  readonly end: (reason: unknown) => void;
  /** `undefined` while its function begins, when nobody but itself can ask for it. */
  promise: Promise<unknown> | undefined;
}

/** How long a value lives, and by what it can be dropped. Milliseconds. */
export interface Keep {
  readonly expire: number | undefined;
  /** How long after that it may still be served. */
  readonly grace: number;
  readonly tags: readonly string[] | undefined;
}

/** A load that is to run. */
export interface Loading {
  readonly clock: Clock;
  readonly run: () => Promise<unknown>;
  readonly end: (reason: unknown) => void;
  /** Whether and how to keep what it brought. What this throws goes to `failed`. */
  readonly keep: (value: unknown) => Keep | undefined;
  readonly failed: (error: unknown) => void;
  /** Whether anybody wants to know how long it took. */
  readonly timed: boolean;
}

/** The cached values of one name in a keyspace, and the loads of them that run in this process. */
export class CacheSpace {
  readonly store: Store;
  readonly #loads = new Map<string, Load>();
  readonly #tags: TagVersions;

  constructor(store: Store, tags: TagVersions) {
    this.store = store;
    this.#tags = tags;
  }

  /** The stored value, if none of its tags was bumped since. */
  valid(stored: unknown): Cached | undefined {
    if (typeof stored !== 'object' || stored === null) return undefined;
    const cached = stored as Cached;
    return cached.tags === undefined || this.#tags.untouched(cached.tags, cached.since) ? cached : undefined;
  }

  /** The load under way, if who asks now may share it: not where the result will be `tagged` and a tag was bumped since it began. */
  loading(key: string, tagged: boolean): Load | undefined {
    const load = this.#loads.size === 0 ? undefined : this.#loads.get(key);
    return load !== undefined && tagged && load.since !== this.#tags.latest ? undefined : load;
  }

  /** Runs a load, which everybody who asks for the key meanwhile shares, and keeps what `keep` says. */
  load(key: string, { clock, run, end, keep, failed, timed }: Loading): Load {
    const since = this.#tags.latest;
    const started = timed ? clock.monotonic() : 0;
    const load: Load = { stale: false, since, older: this.#loads.get(key), waiting: 0, end, promise: undefined };
    // Before it runs: what is invalidated while the function begins does not come back either.
    this.#loads.set(key, load);
    const done = (): void => {
      if (this.#loads.get(key) === load) this.#loads.delete(key);
    };
    load.promise = run().then(
      (value) => {
        const took = timed ? clock.monotonic() - started : 0;
        const stored = load.stale ? undefined : this.#keep(key, value, since, took, { clock, keep, failed });
        outdate(load.older);
        if (stored === undefined) {
          done();
          return value;
        }
        return stored.catch(failed).then(() => {
          done();
          return value;
        });
      },
      (error: unknown) => {
        done();
        throw error;
      },
    );
    return load;
  }

  /** Nobody waits for a load any more: who asks next starts another. */
  abandon(key: string, load: Load): void {
    load.stale = true;
    if (this.#loads.get(key) === load) this.#loads.delete(key);
  }

  /** Stores a value by hand: a load under way does not write over it. */
  put(key: string, clock: Clock, value: unknown, keep: Keep): Awaitable<void> {
    this.#forget(key);
    return this.#set(key, clock, value, keep, this.#tags.latest, 0);
  }

  /** Drops a key; a load under way does not bring it back. */
  drop(key: string): Awaitable<boolean> {
    this.#forget(key);
    return this.store.delete(key);
  }

  /** No load under way stores what it brings. */
  forgetLoads(): void {
    for (const key of this.#loads.keys()) this.#forget(key);
  }

  #forget(key: string): void {
    outdate(this.#loads.get(key));
    this.#loads.delete(key);
  }

  #keep(
    key: string,
    value: unknown,
    since: number,
    took: number,
    how: Pick<Loading, 'clock' | 'keep' | 'failed'>,
  ): Promise<void> | undefined {
    try {
      const kept = how.keep(value);
      if (kept === undefined) return undefined;
      if (kept.tags && !this.#tags.untouched(kept.tags, since)) return undefined;
      const stored = this.#set(key, how.clock, value, kept, since, took);
      return stored instanceof Promise ? stored : undefined;
    } catch (error) {
      how.failed(error);
      return undefined;
    }
  }

  #set(key: string, clock: Clock, value: unknown, { expire, grace, tags }: Keep, since: number, took: number): Awaitable<void> {
    const now = expire === undefined ? 0 : clock.now();
    const freshUntil = expire === undefined ? Infinity : now + expire;
    const cached: Cached = { value, freshUntil, took, since, tags: tags?.length ? tags : undefined };
    return this.store.set(key, cached, expire === undefined ? undefined : expire + grace, now);
  }
}

/** Neither this load nor those that it took over from keep what they bring. */
function outdate(newest: Load | undefined): void {
  for (let load = newest; load; load = load.older) load.stale = true;
}

/** All cache spaces of a provider, shared by everybody who uses it. */
export class CacheSpaces {
  static readonly #ofProvider = new WeakMap<Provider, CacheSpaces>();
  readonly #provider: Provider;
  readonly #spaces = new Map<string, CacheSpace>();
  readonly #tags = new Map<string, TagVersions>();

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
    if (!space) this.#spaces.set(prefix, (space = new CacheSpace(openStore(this.#provider, prefix), this.tags(keyspace))));
    return space;
  }

  tags(keyspace: string): TagVersions {
    let tags = this.#tags.get(keyspace);
    if (!tags) this.#tags.set(keyspace, (tags = new TagVersions()));
    return tags;
  }

  /** Drops a key under every name of a keyspace. */
  async dropEverywhere(keyspace: string, key: string): Promise<void> {
    await Promise.all(this.#within(prefixOf(keyspace, 'cacheResult')).map(async (space) => space.drop(key)));
  }

  /** Drops all that begins with a prefix. */
  clear(prefix: string): Awaitable<void> {
    for (const space of this.#within(prefix)) space.forgetLoads();
    return this.#provider.clear(prefix);
  }

  #within(prefix: string): CacheSpace[] {
    return [...this.#spaces].filter(([name]) => name.startsWith(prefix)).map(([, space]) => space);
  }
}
