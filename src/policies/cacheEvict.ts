import type { AnyArgs } from '../core/decorate.js';
import { encodeArgs } from '../core/encode.js';
import { OptionsError } from '../core/errors.js';
import { either, fn, list, schema, text } from '../core/options.js';
import { type Beside, definePolicy } from '../core/policy.js';
import { CacheSpaces } from './cacheSpaces.js';

/** Options of `cacheEvict`: tags, keys or both. */
export interface CacheEvictOptions<A extends readonly unknown[] = AnyArgs, R = unknown> {
  /** Drops what carries one of these tags. */
  tags?: readonly string[] | ((result: R, ...args: A) => readonly string[]);
  /** Drops what is kept under one of these keys (those that a `cacheKey` returned), whichever function keeps it. */
  keys?: readonly string[] | ((result: R, ...args: A) => readonly string[]);
}

/** Drops cached values after the call succeeded. */
export const cacheEvict = definePolicy({
  name: 'cacheEvict',
  options: schema<CacheEvictOptions>('cacheEvict')(
    {
      tags: either(list(text()), fn<(result: unknown, ...args: unknown[]) => readonly string[]>()),
      keys: either(list(text()), fn<(result: unknown, ...args: unknown[]) => readonly string[]>()),
    },
    ({ tags, keys }) => (tags === undefined && keys === undefined ? 'needs "tags", "keys" or both' : undefined),
  ),
  create({ tags, keys }, { events, provider, keyspace }, { site }): Beside {
    const spaces = CacheSpaces.of(provider);
    type Source = typeof tags;
    const listed = (what: string, source: Source, self: unknown, result: unknown, args: readonly unknown[]): readonly string[] => {
      if (typeof source !== 'function') return source ?? [];
      try {
        const made: unknown = source.apply(self, [result, ...args]);
        if (Array.isArray(made) && made.every((item) => typeof item === 'string')) return made;
        throw new OptionsError(`cacheEvict: what "${what}" returns must be a list of texts`);
      } catch (error) {
        events.emit('callbackFailed', { name: site.method }, { callback: what, error });
        return [];
      }
    };
    return {
      success(result, _state, call) {
        const dropTags = listed('tags', tags, call.self, result, call.args);
        const dropKeys = listed('keys', keys, call.self, result, call.args);
        if (dropTags.length === 0 && dropKeys.length === 0) return undefined;
        const bumped = dropTags.length > 0 ? spaces.bump(keyspace, dropTags) : undefined;
        const dropped =
          dropKeys.length > 0
            ? spaces.dropEverywhere(
                keyspace,
                dropKeys.map((key) => encodeArgs([key])),
              )
            : undefined;
        events.emit('cacheInvalidated', call, { tags: dropTags, keys: dropKeys });
        return Promise.all([bumped, dropped]).then(
          () => result,
          (error: unknown) => {
            events.emit('cacheFailed', call, { key: [...dropTags, ...dropKeys].join(', '), error });
            return result;
          },
        );
      },
    };
  },
});
