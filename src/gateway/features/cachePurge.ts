import type { Runtime } from '../../core/policy.js';
import { spaceOf } from './cacheSpace.js';

/** What to drop of the cached answers: a path with all its queries on all hosts, all paths that begin so, one `cache_key`, or everything. */
export type Purge = { readonly path: string } | { readonly prefix: string } | { readonly key: string } | { readonly all: true };

/** Drops cached answers on behalf of a person. Answers that are on their way are not kept either. */
export async function invalidateHttp(runtime: Runtime, what: Purge): Promise<void> {
  const space = spaceOf(runtime);
  if ('path' in what) await Promise.all([space.clear(`${what.path} `), ...(what.path.includes('?') ? [] : [space.clear(`${what.path}?`)])]);
  else if ('prefix' in what) await space.clear(what.prefix);
  else if ('key' in what) await space.clear(`=${what.key}\n`);
  else await space.clear('');
  runtime.events.emit(
    'cacheInvalidated',
    { name: 'cache' },
    { keys: ['path' in what ? what.path : 'prefix' in what ? `${what.prefix}*` : 'key' in what ? what.key : '*'] },
  );
}
