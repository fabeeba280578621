import { randomBytes } from 'node:crypto';
import { prefixOf } from '../../core/keyspace.js';
import type { Runtime } from '../../core/policy.js';
import { type Awaitable, openStore, type Store } from '../../core/provider.js';
import { knownOf, type Stored, type Variants } from '../../http/caching/stored.js';
import type { Flight } from './cacheFlight.js';

/** Between the key of an address and what tells its variants apart. */
const apart = '\n\n';

/** The answers of a gateway: all paths share them, so that a change seen on one path drops what another one keeps. They outlive reloads. */
export class HttpSpace {
  /** Requests that are on their way up, by key and variant: others wait for them. */
  readonly flights = new Map<string, Flight>();
  readonly #runtime: Runtime;
  readonly #store: Store;
  readonly #prefix: string;
  /** Answers on their way by key. One that was asked for before its key was dropped is not kept. */
  readonly #pending = new Map<string, Set<Writing>>();
  /** Keys whose answers others may not have, and until when that is remembered. */
  readonly #unshared = new Map<string, number>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#prefix = prefixOf(runtime.keyspace, 'cacheResult', 'http');
    this.#store = openStore(runtime.provider, this.#prefix);
  }

  /** What lies under a key. A store that cannot be reached has nothing. */
  read(key: string, now: number): Awaitable<Stored | Variants | undefined> {
    const found = this.#store.get(key, now);
    return found instanceof Promise ? found.then(knownOf, () => undefined) : knownOf(found);
  }

  /** One of several answers to an address. */
  readVariant(key: string, variants: Variants, variant: string, now: number): Awaitable<Stored | undefined> {
    return this.read(variantKey(key, variants.generation, variant), now) as Awaitable<Stored | undefined>;
  }

  /** Says that an answer is on its way. It may be kept by `write`, and must be let go by `leave`. */
  begin(key: string): Awaitable<Writing> {
    const writing: Writing = { key, dropped: false, fence: undefined };
    let others = this.#pending.get(key);
    if (others === undefined) this.#pending.set(key, (others = new Set()));
    others.add(writing);
    const begun = this.#store.shared?.begin(key);
    if (begun === undefined) return writing;
    return begun.then(
      (fence) => {
        writing.fence = fence;
        return writing;
      },
      () => {
        writing.dropped = true;
        return writing;
      },
    );
  }

  /** Keeps an answer, under the variant that it is, unless its key was dropped meanwhile. */
  write(writing: Writing, stored: Stored, variant: Variant | undefined): Awaitable<void> {
    const now = this.#runtime.clock.now();
    const ttl = stored.keepUntil === Infinity ? undefined : stored.keepUntil - now;
    if (writing.dropped || (ttl !== undefined && ttl <= 0)) return this.leave(writing);
    const kept = variant === undefined ? this.#put(writing, stored, ttl, now) : this.#writeVariant(writing, stored, variant, ttl, now);
    if (!(kept instanceof Promise)) return this.#settle(writing);
    return kept.then(
      () => this.#settle(writing),
      (error: unknown) => {
        this.#settle(writing);
        this.#failed(writing.key, error);
      },
    );
  }

  /** No answer came of it, or none to keep. */
  leave(writing: Writing): void {
    this.#settle(writing);
    if (writing.fence !== undefined) this.#store.shared?.leave(writing.key, writing.fence).catch(() => undefined);
  }

  /** Drops all answers of a key, and those on their way to it. */
  drop(key: string): Awaitable<unknown> {
    this.#forget(key);
    const dropped = this.#store.delete(key);
    return dropped instanceof Promise ? dropped.catch((error: unknown) => this.#failed(key, error)) : dropped;
  }

  /** Drops everything whose key begins so. */
  async clear(start: string): Promise<void> {
    for (const key of this.#pending.keys()) if (key.startsWith(start)) this.#forget(key);
    await this.#runtime.provider.clear(this.#prefix + start);
  }

  /** Whether it is known that answers to this are not for others: nobody then waits for another's. */
  isUnshared(flight: string, now: number): boolean {
    const until = this.#unshared.get(flight);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#unshared.delete(flight);
    return false;
  }

  setUnshared(flight: string, unshared: boolean): void {
    this.#unshared.delete(flight);
    if (!unshared) return;
    this.#unshared.set(flight, this.#runtime.clock.now() + unsharedFor);
    if (this.#unshared.size > mostUnshared) this.#unshared.delete(this.#unshared.keys().next().value as string);
  }

  async #writeVariant(writing: Writing, stored: Stored, { fields, text }: Variant, ttl: number | undefined, now: number): Promise<void> {
    const { key } = writing;
    const known = await this.read(key, now);
    const old = known?.kind === 'variants 1' ? known : undefined;
    const same = old !== undefined && old.fields.length === fields.length && fields.every((field, i) => field === old.fields[i]);
    const keepUntil = Math.max(stored.keepUntil, same ? old.keepUntil : 0);
    const generation = same ? old.generation : randomBytes(9).toString('base64url');
    if (writing.dropped) return;
    const list: Variants = { kind: 'variants 1', fields, generation, keepUntil };
    const listed = this.#put(writing, list, keepUntil === Infinity ? undefined : keepUntil - now, now);
    if (listed instanceof Promise && (await listed) === false) return;
    await this.#store.set(variantKey(key, generation, text), stored, ttl, now);
  }

  #put(writing: Writing, value: Stored | Variants, ttl: number | undefined, now: number): Awaitable<boolean | void> {
    const { key, fence } = writing;
    if (fence === undefined) return this.#store.set(key, value, ttl, now);
    return this.#store.shared?.put(key, value, ttl, fence);
  }

  #forget(key: string): void {
    for (const writing of this.#pending.get(key) ?? []) writing.dropped = true;
    for (const flight of this.flights.values()) if (flight.key === key) flight.leaveTable();
  }

  #settle(writing: Writing): void {
    const others = this.#pending.get(writing.key);
    others?.delete(writing);
    if (others?.size === 0) this.#pending.delete(writing.key);
  }

  #failed(key: string, error: unknown): void {
    this.#runtime.events.emit('cacheFailed', { name: 'cache' }, { key, error });
  }
}

/** An answer that is on its way into the store. */
export interface Writing {
  readonly key: string;
  dropped: boolean;
  /** Of a store that other processes use too. */
  fence: string | undefined;
}

/** Which of several answers to an address it is. */
export interface Variant {
  readonly fields: readonly string[];
  readonly text: string;
}

const unsharedFor = 60_000;
const mostUnshared = 10_000;

const variantKey = (key: string, generation: string, variant: string): string => `${key}${apart}${generation} ${variant}`;

/** The answers that a gateway keeps. */
export function spaceOf(runtime: Runtime): HttpSpace {
  return runtime.registry.get('httpCache', '', () => new HttpSpace(runtime));
}
