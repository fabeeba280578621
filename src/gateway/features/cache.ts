import { exchangeOf, type Feature } from '../feature.js';
import type { Features } from '../config/featureSchemas.js';
import { compileTemplate } from '../template.js';
import { HttpCache } from './cacheHttp.js';
import { Keys } from './cacheKeys.js';
import { spaceOf } from './cacheSpace.js';

type Options = NonNullable<Features['cache']>;

/**
 * A shared cache (RFC 9111) around the exchange. What the upstream says comes before what the configuration says; where neither says how long
 * an answer is good, it is kept until it is dropped.
 */
export const cache: Feature<Options> = {
  name: 'cache',
  upgrades: false,
  create(options, { runtime, pattern }) {
    const template = options.cache_key === undefined ? undefined : compileTemplate(options.cache_key, pattern);
    const http = new HttpCache({
      runtime,
      space: spaceOf(runtime),
      keys: new Keys(template, pattern),
      methods: new Set(options.methods),
      honorRequest: options.honor_request,
      rules: {
        expire: options.expire_s,
        staleWhileRevalidate: options.stale_s,
        staleIfError: options.stale_if_error_s,
        storeSetCookie: options.store_set_cookie,
        storePrivate: options.store_private,
        storeErrors: options.store_errors,
        ignoreUpstream: options.ignore_upstream,
        keyed: template !== undefined,
      },
      vary: options.vary.map((field) => field.toLowerCase()),
      maxBytes: options.max_bytes,
      now: () => runtime.clock.now(),
      monotonic: () => runtime.clock.monotonic(),
    });
    return [{ run: (call, next) => http.run(exchangeOf(call), call, next as Parameters<HttpCache['run']>[2]) }];
  },
};
