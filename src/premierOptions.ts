import type { Clock } from './core/clock.js';
import { isInside } from './core/keyspace.js';
import { flag, fn, logger as loggerField, type Logger, oneOf, schema, text, value, withDefault } from './core/options.js';
import type { Provider } from './core/provider.js';

/** Options of `new Premier()`. */
export interface PremierOptions {
  /**
   * What all keys begin with: two applications on one provider need two.
   * @default 'premier'
   */
  keyspace?: string;
  /**
   * Where state lives.
   * @default memory()
   */
  provider?: Provider;
  /** Where policies that log, log. Nobody by default, but for `timeit`, which takes the console. */
  logger?: Logger;
  /** @default the machine's clock */
  clock?: Clock;
  /**
   * Numbers from 0 up to 1, for jitter.
   * @default Math.random
   */
  random?: () => number;
  /** Whose cache a method's is, where `cacheResult` does not say: `'class'` where all instances of a class are alike. */
  scope?: 'class';
  /**
   * Whether `premier.signal` can be read below the first `await` too. One `AsyncLocalStorage` in use makes every `await` of a process
   * on Node 20 and 22 about three times dearer.
   * @default false
   */
  asyncContext?: boolean;
}

/** How `new Premier()` reads its options. */
export const premierOptions = schema<PremierOptions>('Premier')(
  {
    keyspace: withDefault(text(), 'premier'),
    provider: value<Provider>('a provider, such as memory()', (given) => typeof (given as Provider | null)?.step === 'function'),
    logger: loggerField(),
    clock: value<Clock>('a Clock', (given) => typeof (given as Clock | null)?.now === 'function'),
    random: fn<() => number>(),
    scope: oneOf('class'),
    asyncContext: flag(false),
  },
  ({ keyspace }) =>
    isInside(keyspace)
      ? `option "keyspace" must not have a part that keys of other keyspaces begin with, such as ':cacheResult' (got '${keyspace}')`
      : undefined,
);
