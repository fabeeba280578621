import { LRUCache } from 'lru-cache';
import { after, type Clock } from '../core/clock.js';
import { StoreUnavailableError } from '../core/errors.js';
import type { Awaitable, SharedValues, Store, Tags } from '../core/provider.js';
import {
  type Begun,
  type Cached,
  cachedOf,
  CacheSpace,
  type Keep,
  lifeOf,
  type Load,
  type Loading,
  type Look,
  outdate,
} from './cacheSpace.js';
import { Lock } from './lock.js';
import type { TagVersions } from './tagVersions.js';

/** How often who waits for another process looks whether it is done. */
const pollMs = 50;

/** What of a value goes into a shared store: what says nothing is left out. */
interface Packed {
  readonly v: unknown;
  readonly f?: number;
  readonly k?: number;
  readonly s?: number;
  readonly t?: readonly string[];
}

/** Cached values that other processes read and drop too. What was loaded before any of them dropped it never comes back. */
export class SharedSpace extends CacheSpace {
  readonly #values: SharedValues;
  readonly #tags: Tags;
  readonly #locks: Store;
  readonly #holder: string;
  /** The tags that keys had when they were last read. */
  readonly #lastTags = new LRUCache<string, readonly string[]>({ max: 10_000 });
  /** Makes the name of this space known to those who drop a key under every name. */
  readonly #enrol: () => Promise<unknown>;

  constructor(
    store: Store,
    bumps: TagVersions,
    shared: { values: SharedValues; tags: Tags; locks: Store; holder: string; enrol: () => Promise<unknown> },
  ) {
    super(store, bumps);
    this.#values = shared.values;
    this.#tags = shared.tags;
    this.#locks = shared.locks;
    this.#holder = shared.holder;
    this.#enrol = shared.enrol;
  }

  /** What the store knows of a key. A store that cannot be asked knows nothing; other failures go to `failed`. */
  look(key: string, tagged: boolean, failed: (error: unknown) => void): Promise<Look> {
    const asked = ++this.order;
    const lost = (error: unknown): Look => {
      tell(error, failed);
      return { cached: undefined, fence: undefined, latest: undefined, asked, failed: true };
    };
    if (tagged && this.loads.has(key)) return this.#lookTwice(key, asked).catch(lost);
    // Most keys keep their tags: those that it had last are asked for in the same command.
    const guess = tagged ? this.#lastTags.get(key) : undefined;
    const guessed = guess && { tags: guess, numbers: this.#tags.numbers(guess) };
    guessed?.numbers.catch(() => undefined);
    return this.#values.read(key).then((seen) => {
      const cached = this.#unpack(seen.value, guessed);
      if (tagged) this.#remember(key, seen.value);
      const { fence } = seen;
      if (!(cached instanceof Promise)) return { cached, fence, latest: undefined, asked, failed: false };
      return cached.then((valid) => ({ cached: valid, fence, latest: undefined, asked, failed: false }), lost);
    }, lost);
  }

  /** The same together with the last bump, for who may join a load under way. */
  async #lookTwice(key: string, asked: number): Promise<Look> {
    const [seen, latest] = await Promise.all([this.#values.read(key), this.#tags.latest()]);
    return { cached: await this.#unpack(seen.value), fence: seen.fence, latest, asked, failed: false };
  }

  /** Who looked before a load began shares it; later ones only if nothing was dropped since. */
  override loading(key: string, tagged: boolean, seen?: Look): Load | undefined {
    const load = super.loading(key, tagged);
    if (load?.alone && seen && !seen.failed && seen.asked > load.asked) return undefined;
    if (load?.begun === undefined || seen === undefined || seen.failed || seen.asked < load.asked) return load;
    if (seen.fence !== load.begun.fence) return undefined;
    return seen.latest !== undefined && seen.latest !== load.begun.latest ? undefined : load;
  }

  override load(key: string, loading: Loading): Load {
    const load = this.enter(key, loading);
    const work = this.#run(key, load, loading);
    load.promise = work.finally(() => this.leave(key, load));
    return load;
  }

  override async put(key: string, clock: Clock, value: unknown, keep: Keep): Promise<void> {
    this.forget(key);
    const tags = keep.tags?.length ? keep.tags : undefined;
    const since = tags ? await this.#tags.latest() : 0;
    const stored = this.store.set(key, pack(cachedOf(value, keep, clock.now(), since, 0)), lifeOf(keep));
    await Promise.all([stored, tags && this.#tags.hold(tags, lifeOf(keep), since)]);
  }

  async #run(key: string, load: Load, loading: Loading): Promise<unknown> {
    try {
      // The name is known before there is a value under it. Where that fails, the next load tries again.
      const enrolled = this.#enrol().catch(() => undefined);
      const [fence, latest] = await Promise.all([this.#values.begin(key), loading.tagged ? this.#tags.latest() : 0, enrolled]);
      load.begun = { fence, latest };
    } catch (error) {
      tell(error, loading.failed);
    }
    load.alone = load.begun === undefined;
    const { begun } = load;
    if (load.abandoned) {
      if (begun) this.#values.leave(key, begun.fence).catch(() => undefined);
      throw new AbandonedError();
    }
    if (!begun || !loading.lock) return this.#value(key, load, loading, begun);
    const lock = new Lock(this.#locks, key, `${this.#holder}/${begun.fence}/${load.asked}`, loading.clock);
    try {
      const known = await this.#turn(key, load, lock, loading);
      return known ? known.value : await this.#value(key, load, loading, begun);
    } finally {
      lock.release();
    }
  }

  /** Waits for the lock, or for the value that its holder brings. Where the store fails, everybody is on his own. */
  async #turn(key: string, load: Load, lock: Lock, { clock, failed, beyond = 0 }: Loading): Promise<Cached | undefined> {
    for (;;) {
      let wait: number;
      try {
        wait = await lock.take();
        // Also who got it at once: its last holder may have been done in between.
        const { value } = await this.#values.read(key);
        const cached = await this.#unpack(value);
        if (cached && cached.freshUntil > Math.max(clock.now(), beyond)) return cached;
      } catch (error) {
        tell(error, failed);
        return undefined;
      }
      if (load.abandoned) throw new AbandonedError();
      if (wait === 0) return undefined;
      await new Promise<void>((resolve) => void after(clock, Math.min(wait, pollMs), resolve));
    }
  }

  async #value(key: string, load: Load, loading: Loading, begun: Begun | undefined): Promise<unknown> {
    const { clock, run, timed, keep, failed } = loading;
    const started = timed ? clock.monotonic() : 0;
    const value = await run().catch((error: unknown) => {
      if (begun) this.#values.leave(key, begun.fence).catch(() => undefined);
      throw error;
    });
    const took = timed ? clock.monotonic() - started : 0;
    try {
      const kept = load.stale || !begun ? undefined : keep(value);
      if (kept && begun) await this.#keep(key, value, kept, begun, clock.now(), took);
      else if (begun) this.#values.leave(key, begun.fence).catch(() => undefined);
    } catch (error) {
      if (begun) this.#values.leave(key, begun.fence).catch(() => undefined);
      tell(error, failed);
    }
    outdate(load.older);
    return value;
  }

  async #keep(key: string, value: unknown, keep: Keep, { fence, latest }: Begun, now: number, took: number): Promise<void> {
    const tags = keep.tags?.length ? keep.tags : undefined;
    // First the tags: what was bumped meanwhile must not push out the value of a later load.
    if (tags && (await this.#tags.hold(tags, lifeOf(keep), latest)).some((number) => number > latest)) return;
    await this.#values.put(key, pack(cachedOf(value, keep, now, latest, took)), lifeOf(keep), fence);
  }

  #remember(key: string, stored: unknown): void {
    const tags = typeof stored === 'object' && stored !== null ? (stored as Partial<Packed>).t : undefined;
    if (tags === undefined) this.#lastTags.delete(key);
    else if (!alike(tags, this.#lastTags.get(key))) this.#lastTags.set(key, tags);
  }

  /** The value with what is known of it, if none of its tags was bumped since; `asked` are those whose numbers are on their way. */
  #unpack(
    stored: unknown,
    asked?: { readonly tags: readonly string[]; readonly numbers: Promise<readonly number[]> },
  ): Awaitable<Cached | undefined> {
    if (typeof stored !== 'object' || stored === null || !('v' in stored)) return undefined;
    const { v: value, f: freshUntil = Infinity, k: took = 0, s: since = 0, t: tags } = stored as Packed;
    const cached: Cached = { value, freshUntil, took, since, tags };
    if (!tags) return cached;
    const known = asked && alike(tags, asked.tags) ? asked.numbers : this.#tags.numbers(tags);
    return known.then((numbers) => (numbers.some((number) => number > since) ? undefined : cached));
  }
}

const alike = (one: readonly string[], other: readonly string[] | undefined): boolean =>
  one.length === other?.length && one.every((tag, i) => tag === other[i]);

function pack({ value, freshUntil, took, since, tags }: Cached): Packed {
  return {
    v: value,
    ...(freshUntil === Infinity ? {} : { f: freshUntil }),
    ...(took === 0 ? {} : { k: took }),
    ...(since === 0 ? {} : { s: since }),
    ...(tags ? { t: tags } : {}),
  };
}

/** Nobody waits for the load any more: its function need not begin. */
class AbandonedError extends Error {}

/** That the store is down was told when it went down. */
function tell(error: unknown, failed: (error: unknown) => void): void {
  if (!(error instanceof StoreUnavailableError && error.down)) failed(error);
}
