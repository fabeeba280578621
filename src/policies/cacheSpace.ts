import type { Clock } from '../core/clock.js';
import type { Awaitable, Store } from '../core/provider.js';
import type { TagVersions } from './tagVersions.js';

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
  /** In a shared store: what it knows of its key, once it has begun there. */
  begun?: Begun | undefined;
  /** Nobody waits for it any more. */
  abandoned?: boolean;
  /** In a shared store: that it could not begin there. */
  alone?: boolean;
  /** Its place in the order in which the store was asked. */
  readonly asked: number;
  /** `undefined` while its function begins, when nobody but itself can ask for it. */
  promise: Promise<unknown> | undefined;
}

/** What a load of a shared store goes by: whatever changes one of them, its value is not kept. */
export interface Begun {
  readonly fence: string;
  /** The number of the last tag bump. */
  readonly latest: number;
}

/** What a shared store answered. */
export interface Look {
  readonly cached: Cached | undefined;
  readonly fence: string | undefined;
  /** The number of the last tag bump, where somebody wants to know. */
  readonly latest: number | undefined;
  /** When it was asked, in the order in which the store was. */
  readonly asked: number;
  /** Whether the store could not be asked. */
  readonly failed: boolean;
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
  /** Whether one load at a time is enough for all processes. */
  readonly lock: boolean;
  /** What it is to replace ends then. */
  readonly beyond?: number | undefined;
  /** Whether the value may carry tags. */
  readonly tagged: boolean;
}

/** The cached values of one name in a keyspace, and the loads of them that run in this process. */
export class CacheSpace {
  readonly store: Store;
  protected readonly loads = new Map<string, Load>();
  protected readonly bumps: TagVersions;
  /** How often the store was asked. */
  protected order = 0;

  constructor(store: Store, bumps: TagVersions) {
    this.store = store;
    this.bumps = bumps;
  }

  /** The stored value, if none of its tags was bumped since. */
  valid(stored: unknown): Cached | undefined {
    if (typeof stored !== 'object' || stored === null) return undefined;
    const cached = stored as Cached;
    return cached.tags === undefined || this.bumps.untouched(cached.tags, cached.since) ? cached : undefined;
  }

  /** The load under way, if who asks now may share it: not where the result will be `tagged` and a tag was bumped since it began. */
  loading(key: string, tagged: boolean, _seen?: Look): Load | undefined {
    const load = this.loads.size === 0 ? undefined : this.loads.get(key);
    return load !== undefined && tagged && load.since !== this.bumps.latest ? undefined : load;
  }

  /** Runs a load, which everybody who asks for the key meanwhile shares, and keeps what `keep` says. */
  load(key: string, loading: Loading): Load {
    const load = this.enter(key, loading);
    const started = loading.timed ? loading.clock.monotonic() : 0;
    load.promise = loading.run().then(
      (value) => {
        const took = loading.timed ? loading.clock.monotonic() - started : 0;
        const stored = load.stale ? undefined : this.#keep(key, value, load.since, took, loading);
        outdate(load.older);
        if (stored === undefined) {
          this.leave(key, load);
          return value;
        }
        return stored.catch(loading.failed).then(() => {
          this.leave(key, load);
          return value;
        });
      },
      (error: unknown) => {
        this.leave(key, load);
        throw error;
      },
    );
    return load;
  }

  /** Nobody waits for a load any more: who asks next starts another. */
  abandon(key: string, load: Load): void {
    load.stale = true;
    load.abandoned = true;
    this.leave(key, load);
  }

  /** Stores a value by hand: a load under way does not write over it. */
  put(key: string, clock: Clock, value: unknown, keep: Keep): Awaitable<void> {
    this.forget(key);
    return this.#set(key, clock, value, keep, this.bumps.latest, 0);
  }

  /** Drops a key; a load under way does not bring it back. */
  drop(key: string): Awaitable<boolean> {
    this.forget(key);
    return this.store.delete(key);
  }

  /** No load under way stores what it brings. */
  forgetLoads(): void {
    for (const key of this.loads.keys()) this.forget(key);
  }

  /** A load begins. It is known before it runs: what is invalidated while its function begins does not come back either. */
  protected enter(key: string, { end }: Loading): Load {
    const load: Load = {
      stale: false,
      since: this.bumps.latest,
      older: this.loads.get(key),
      waiting: 0,
      end,
      promise: undefined,
      asked: ++this.order,
    };
    this.loads.set(key, load);
    return load;
  }

  /** A load has ended. */
  protected leave(key: string, load: Load): void {
    if (this.loads.get(key) === load) this.loads.delete(key);
  }

  protected forget(key: string): void {
    outdate(this.loads.get(key));
    this.loads.delete(key);
  }

  #keep(key: string, value: unknown, since: number, took: number, how: Loading): Promise<void> | undefined {
    try {
      const kept = how.keep(value);
      if (kept === undefined) return undefined;
      if (kept.tags && !this.bumps.untouched(kept.tags, since)) return undefined;
      const stored = this.#set(key, how.clock, value, kept, since, took);
      return stored instanceof Promise ? stored : undefined;
    } catch (error) {
      how.failed(error);
      return undefined;
    }
  }

  #set(key: string, clock: Clock, value: unknown, keep: Keep, since: number, took: number): Awaitable<void> {
    const now = keep.expire === undefined ? 0 : clock.now();
    return this.store.set(key, cachedOf(value, keep, now, since, took), lifeOf(keep), now);
  }
}

/** A value with all that says how long it is good. */
export function cachedOf(value: unknown, { expire, tags }: Keep, now: number, since: number, took: number): Cached {
  return { value, freshUntil: expire === undefined ? Infinity : now + expire, took, since, tags: tags?.length ? tags : undefined };
}

/** How long a value may be of any use. */
export function lifeOf({ expire, grace }: Keep): number | undefined {
  return expire === undefined ? undefined : expire + grace;
}

/** Neither this load nor those that it took over from keep what they bring. */
export function outdate(newest: Load | undefined): void {
  for (let load = newest; load; load = load.older) load.stale = true;
}
