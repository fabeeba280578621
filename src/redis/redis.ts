import { createRequire } from 'node:module';
import type { Clock } from '../core/clock.js';
import type { Duration } from '../core/duration.js';
import { OptionsError } from '../core/errors.js';
import { duration, flag, oneOf, schema, text, value, withDefault } from '../core/options.js';
import type { Bus, Provider, Store, StoreChange, Tags } from '../core/provider.js';
import { memory } from '../providers/memory.js';
import { type Codec, typedCodec } from './codec.js';
import { Link } from './link.js';
import { Refusals } from './refusals.js';
import { type Common, RedisStore } from './store.js';
import { RedisTags } from './tags.js';
import type { RedisClient } from './wire.js';
import { wireOf } from './wireOf.js';

/** Options of `redis()`. */
export interface RedisOptions {
  /** A client of ioredis (plain, Cluster, Sentinel) or of node-redis. It stays yours: `close()` leaves it open. Not together with `url`. */
  client?: RedisClient;
  /** Where Redis is, such as `redis://localhost:6379`, for a client that is made here. Needs the package ioredis. */
  url?: string;
  /**
   * How long any call may wait for Redis, whatever the client's own settings.
   * @default 0.1
   */
  deadline?: Duration;
  /**
   * What limiters do while Redis is down: `'local'` holds the limit in each process, `'open'` admits, `'closed'` refuses with `StoreUnavailableError`.
   * @default 'local'
   */
  whenDown?: 'local' | 'open' | 'closed';
  /** What makes texts of values, and values of texts. By default JSON that keeps types such as Date, Map and BigInt. */
  codec?: Codec;
  /**
   * Whether a key that Redis has just refused is refused here until its time has come, at most a second, without asking again.
   * @default true
   */
  refuseLocally?: boolean;
  /** Tells the time instead of Redis: for tests. */
  clock?: Clock;
}

const redisOptions = schema<RedisOptions>('redis')(
  {
    client: value<RedisClient>('a client of ioredis or node-redis', (given) => typeof given === 'object' && given !== null),
    url: text(),
    deadline: withDefault(duration({ zero: false }), 100),
    whenDown: withDefault(oneOf('local', 'open', 'closed'), 'local' as const),
    codec: value<Codec>(
      'a codec with encode and decode',
      (given) => typeof (given as Codec | null)?.encode === 'function' && typeof (given as Codec).decode === 'function',
    ),
    refuseLocally: flag(true),
    clock: value<Clock>('a Clock', (given) => typeof (given as Clock | null)?.now === 'function'),
  },
  ({ client, url, deadline }) => {
    if ((client === undefined) === (url === undefined)) return 'needs either "client" or "url"';
    return deadline > 3_600_000 ? 'option "deadline" must not be over an hour' : undefined;
  },
);

/** State in Redis, for all processes that use it. Throws `OptionsError` for options that are wrong. */
export function redis(options: RedisOptions): RedisProvider {
  const { client, url, deadline, whenDown, codec, refuseLocally, clock } = redisOptions.parse(options);
  const wire = wireOf(client ?? connect(url as string));
  const common: Common = {
    link: new Link({ wire, deadline, clock }),
    codec: codec ?? typedCodec,
    refusals: refuseLocally ? new Refusals() : undefined,
    instead: whenDown === 'local' ? memory(clock ? { clock } : {}) : whenDown,
  };
  return new RedisProvider(common, url !== undefined);
}

/** The provider that `redis()` makes. */
export class RedisProvider extends RedisStore implements Provider {
  readonly bus: Bus;
  readonly #own: boolean;

  constructor(common: Common, own: boolean) {
    super(common, '');
    this.#own = own;
    this.bus = {
      publish: (channel, message, instead) => common.link.publish(channel, message, instead),
      subscribe: (channel, hearing) => common.link.wire.subscribe(channel, hearing),
    };
    common.link.watch(({ up }) => {
      // What was decided in this process alone is over.
      if (up && typeof common.instead === 'object' && common.link.healthy) void common.instead.clear('');
    });
  }

  open(prefix: string): Store {
    return new RedisStore(this.common, prefix);
  }

  tags(prefix: string): Tags {
    return new RedisTags(this.common.link, prefix);
  }

  async clear(prefix: string): Promise<void> {
    const { link, refusals, instead } = this.common;
    refusals?.clear();
    if (typeof instead === 'object') void instead.clear(prefix);
    await link.clear(prefix);
  }

  watch(listener: (change: StoreChange) => void): () => void {
    return this.common.link.watch(listener);
  }

  async close(): Promise<void> {
    await this.common.link.close(this.#own);
  }
}

/** What is used of the package ioredis. */
interface Ioredis {
  readonly Redis: new (url: string, options: object) => RedisClient & { on(event: 'error', listener: () => void): unknown };
}

function connect(url: string): RedisClient {
  // It is not shown: it may hold a password.
  if (!/^(rediss?|unix):\/\//.test(url)) throw new OptionsError('redis: option "url" must begin with redis://, rediss:// or unix://');
  let ioredis: Ioredis;
  try {
    ioredis = createRequire(import.meta.url)('ioredis') as Ioredis;
  } catch (cause) {
    throw new OptionsError('redis: option "url" needs the package ioredis (npm install ioredis); or pass a client of your own', { cause });
  }
  const client = new ioredis.Redis(url, { connectTimeout: 2000, maxRetriesPerRequest: 1, disconnectTimeout: 10 });
  // What fails is told where it is asked for.
  client.on('error', () => undefined);
  return client;
}
