import type { Call } from '../core/call.js';
import { all } from '../core/all.js';
import { encodeArgs } from '../core/encode.js';
import { KeyError, OptionsError } from '../core/errors.js';
import { ByName } from '../core/identity.js';
import { prefixOf } from '../core/keyspace.js';
import type { Place, Runtime } from '../core/policy.js';
import type { CacheSpace } from './cacheSpace.js';
import { CacheSpaces } from './cacheSpaces.js';

/** What says where results are kept. */
interface Naming {
  readonly cacheKey: string | ((...args: unknown[]) => unknown) | undefined;
  readonly scope: 'class' | 'instance' | ((self: unknown) => string) | undefined;
  readonly name: string | undefined;
}

/** Where the results of one function are kept, and under which keys. */
export class ResultCache {
  static readonly #ofFunction = new WeakMap<object, Set<ResultCache>>();
  readonly runtime: Runtime;
  readonly #naming: Naming;
  readonly #places: ByName<{ readonly name: string; readonly space: CacheSpace; readonly callers: Callers }>;
  readonly #scope: Naming['scope'];
  /** Whether arguments alone make the key. */
  readonly #plain: boolean;
  /** Who called last: most methods are called on one instance for ever, which may be asked for its class only once. */
  #lastSelf: unknown;
  #lastSpace: CacheSpace | undefined;

  constructor(naming: Naming, runtime: Runtime, place: Place) {
    this.#naming = naming;
    this.runtime = runtime;
    this.#scope = naming.scope ?? runtime.scope;
    if (naming.scope === 'instance' && runtime.provider.shared) {
      throw new OptionsError(
        `cacheResult: scope 'instance' cannot tell the instances of several processes apart; with a shared provider, pass a function of the instance`,
      );
    }
    this.#plain = naming.cacheKey === undefined && (this.#scope === undefined || this.#scope === 'class');
    this.#places = new ByName(runtime, 'cacheResult', place, naming.name, (name) => ({
      name,
      space: CacheSpaces.of(runtime.provider).open(runtime.keyspace, name),
      callers: runtime.registry.get('callers', name, () => new Callers(name)),
    }));
  }

  /** Makes a function's caches known to `invalidate`. */
  static register(fn: object, cache: ResultCache): void {
    const caches = ResultCache.#ofFunction.get(fn) ?? new Set();
    // A function that is wrapped again and again in the same way is known once.
    for (const other of caches) if (other.#isLike(cache)) caches.delete(other);
    ResultCache.#ofFunction.set(fn, caches.add(cache));
  }

  #isLike(other: ResultCache): boolean {
    const [mine, its] = [this.#naming, other.#naming];
    return this.runtime === other.runtime && mine.name === its.name && mine.cacheKey === its.cacheKey && mine.scope === its.scope;
  }

  /** The caches of a function in one Premier. */
  static of(fn: object, runtime: Runtime): ResultCache[] {
    return [...(ResultCache.#ofFunction.get(fn) ?? [])].filter((cache) => cache.runtime === runtime);
  }

  /** The space for a call. Throws `OptionsError` when a second instance calls and nothing says whose cache it is. */
  space(call: Call): CacheSpace {
    const { self } = call;
    if (this.#lastSpace !== undefined && self === this.#lastSelf) return this.#lastSpace;
    const { space, callers } = this.#places.of(call);
    if (this.#scope === undefined && typeof self === 'object' && self !== null) callers.admit(self);
    this.#lastSelf = self;
    return (this.#lastSpace = space);
  }

  key(self: unknown, args: readonly unknown[]): string {
    if (this.#plain) return encodeArgs(args);
    const { cacheKey } = this.#naming;
    const key = cacheKey === undefined ? encodeArgs(args) : this.#customKey(cacheKey, self, args);
    const scope = this.#scope;
    if (scope === undefined || scope === 'class' || self === undefined || self === null) return key;
    const whose = scope === 'instance' ? String(instanceNumber(self)) : this.#scopeOf(scope, self);
    return `(${whose.length}@${whose}${key}`;
  }

  #customKey(cacheKey: string | ((...args: unknown[]) => unknown), self: unknown, args: readonly unknown[]): string {
    if (typeof cacheKey === 'string') return encodeArgs([cacheKey]);
    let made: unknown;
    try {
      made = cacheKey.apply(self, args as unknown[]);
    } catch (cause) {
      throw new KeyError(`cacheResult: the cacheKey function threw: ${String(cause)}`, 'cacheKey()', { cause });
    }
    if (typeof made === 'string') return encodeArgs([made]);
    if (Array.isArray(made)) return encodeArgs([made]);
    throw new KeyError(`cacheResult: the cacheKey function must return a text or a list of parts (got ${typeof made})`, 'cacheKey()');
  }

  #scopeOf(scope: (self: unknown) => string, self: unknown): string {
    let whose: unknown;
    try {
      whose = scope(self);
    } catch (cause) {
      throw new KeyError(`cacheResult: the scope function threw: ${String(cause)}`, 'scope()', { cause });
    }
    if (typeof whose === 'string') return whose;
    throw new KeyError(`cacheResult: the scope function must return a text (got ${typeof whose})`, 'scope()');
  }

  /** Drops what is kept for those arguments, or all of it. Without `self`, under every class that has called. */
  async drop(self: unknown, args: readonly unknown[] | undefined): Promise<void> {
    const places = self === undefined ? this.#places.known() : [this.#places.for(self)];
    await all(
      places.map(async ({ name, space }): Promise<unknown> => {
        if (args) return space.drop(this.key(self, args));
        return CacheSpaces.of(this.runtime.provider).clear(prefixOf(this.runtime.keyspace, 'cacheResult', name));
      }),
    );
  }
}

const numbers = new WeakMap<object, number>();
let instances = 0;

/** The number of an instance, the same for every cache of this process. */
function instanceNumber(self: unknown): number {
  const known = numbers.get(self as object);
  if (known !== undefined) return known;
  numbers.set(self as object, ++instances);
  return instances;
}

/** Which instance calls: arguments alone do not tell instances apart, and no tenant may ever get another's value. */
class Callers {
  readonly #name: string;
  #first: WeakRef<object> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  admit(self: object): void {
    if (this.#first?.deref() === self || isTimer(self)) return;
    if (this.#first === undefined) {
      this.#first = new WeakRef(self);
      return;
    }
    throw new OptionsError(
      `cacheResult: a second instance calls ${this.#name}, and its arguments do not tell the instances apart; say whose cache it is: ` +
        `{ scope: 'class' } for one in common, { scope: 'instance' } for one each, or { scope: (self) => … }`,
    );
  }
}

/** `setInterval(load, 1000)` calls `load` on the timer, which is nobody's instance. */
function isTimer(self: object): boolean {
  const { name } = self.constructor ?? {};
  return name === 'Timeout' || name === 'Immediate';
}
