import type { Quota } from '../algorithms/index.js';
import { OptionsError, StoreUnavailableError } from '../core/errors.js';
import type { Algorithm, Awaitable, LuaReply, LuaStep, Provider, Seen, SharedValues, Step, Store, Verdict } from '../core/provider.js';
import type { Codec } from './codec.js';
import { Ask } from './ask.js';
import type { AnyAsk } from './batch.js';
import type { Link } from './link.js';
import type { Refusals } from './refusals.js';
import { begin, drop, leave, parse, put, set } from './values.js';

/** What all stores of one provider have in common. */
export interface Common {
  readonly link: Link;
  readonly codec: Codec;
  readonly refusals: Refusals | undefined;
  /** What decides while Redis is down: nobody (`'open'`: all are admitted; `'closed'`: all fail), or memory. */
  readonly instead: 'open' | 'closed' | Provider;
}

/** The keys of Redis below a prefix. */
export class RedisStore implements Store {
  protected readonly common: Common;
  readonly #prefix: string;
  readonly shared: SharedValues;
  readonly #args = new WeakMap<object, { readonly step: unknown; readonly args: readonly (string | number)[] }>();

  constructor(common: Common, prefix: string) {
    this.common = common;
    this.#prefix = prefix;
    const { link, codec } = common;
    this.shared = {
      read: (key) => this.#seen(key),
      begin: (key) => link.change(this.#key(key), begin, link.token()),
      put: (key, value, ttl, fence) => link.change(this.#key(key), put, { fence, ttl, text: encoded(codec, value) }),
      leave: async (key, fence) => void (await link.change(this.#key(key), leave, fence)),
    };
  }

  async get(key: string): Promise<unknown> {
    return (await this.#seen(key)).value;
  }

  async set(key: string, value: unknown, ttlMs?: number): Promise<void> {
    const { link, codec } = this.common;
    await link.change(this.#key(key), set, { fence: link.token(), ttl: ttlMs, text: encoded(codec, value) });
  }

  async delete(key: string): Promise<boolean> {
    const { link, refusals, instead } = this.common;
    const whole = this.#key(key);
    refusals?.delete(whole);
    if (typeof instead === 'object') void instead.delete(whole);
    return link.mustChange(`drop ${whole}`, this.#prefix, whole, drop, '');
  }

  has(key: string): Promise<boolean> {
    return this.common.link.read(this.#key(key), (text) => {
      if (typeof text !== 'string' || text.startsWith('~')) return false;
      return !text.startsWith('=') || this.#decode(text).value !== undefined;
    });
  }

  step<S extends object, P, D extends { readonly resetAfter: number }>(
    key: string,
    algorithm: Algorithm<S, P, D>,
    params: P,
  ): Awaitable<D> {
    const { link, refusals, instead } = this.common;
    const whole = this.#key(key);
    const limiter = algorithm.unasked !== undefined;
    const up = !limiter || link.up(whole);
    if (limiter && !up && instead !== 'closed') return otherwise(this.common, whole, algorithm, params, undefined);
    const now = limiter && refusals ? link.clock.now() : 0;
    if (limiter && refusals) {
      if ((params as Quota).cost < 0) refusals.delete(whole);
      else if (up && !refusals.none) {
        const known = refusals.find(whole, params as Quota, now);
        if (known) return known as unknown as D;
      }
    }
    const step = luaOf(algorithm);
    const args = this.#argsOf(step, params);
    return new Promise((resolve, reject) =>
      link.ask(new StepAsk(this.common, algorithm, whole, step, params, args, now, resolve, reject) as unknown as AnyAsk),
    );
  }

  stepAll(steps: readonly Step[]): Awaitable<readonly Verdict[]> {
    const { link, instead } = this.common;
    const whole = steps.map((step) => ({ ...step, key: this.#key(step.key) }));
    const [first] = whole;
    if (!first) return [];
    const fallBack = (error: unknown): Awaitable<readonly Verdict[]> => {
      if (instead === 'closed' || isRefusal(error)) throw error;
      return instead === 'open' ? whole.map(({ algorithm, params }) => unasked(algorithm, params as never)) : instead.stepAll(whole);
    };
    if (instead !== 'closed' && !link.up(first.key)) return fallBack(undefined);
    const verdicts: Promise<Verdict>[] = [];
    const asks = whole.map(({ key, algorithm, params }, i) => {
      const step = luaOf(algorithm) as unknown as LuaStep<unknown, Verdict>;
      let ask: AnyAsk | undefined;
      verdicts.push(
        new Promise((resolve, reject) => {
          ask = new Ask(key, step, params, this.#argsOf(step, params), i > 0, resolve, reject) as unknown as AnyAsk;
        }),
      );
      return ask as unknown as AnyAsk;
    });
    link.askAll(asks);
    // All of them fail together, and are then decided together.
    return Promise.all(verdicts).catch(fallBack);
  }

  /** Equal params are one object for most limiters: what they become is made once, and travels once. */
  #argsOf<P>(step: LuaStep<P, unknown>, params: P): readonly (string | number)[] {
    if (typeof params !== 'object' || params === null) return step.args(params);
    const known = this.#args.get(params);
    if (known?.step === step) return known.args;
    const args = step.args(params);
    this.#args.set(params, { step, args });
    return args;
  }

  #seen(key: string): Promise<Seen> {
    return this.common.link.read(this.#key(key), this.#decode);
  }

  readonly #decode = (text: unknown): Seen => {
    const seen = parse(text, this.common.codec);
    return this.#expired(seen) ? { ...seen, value: undefined } : seen;
  };

  /** Redis forgets in time by itself, unless time is told from outside. */
  #expired({ value, expiresAt }: Seen): boolean {
    return this.common.link.told && value !== undefined && this.common.link.clock.now() >= expiresAt;
  }

  #key(key: string): string {
    return this.#prefix + (lone.test(key) ? wellFormed(key) : key);
  }
}

function encoded(codec: Codec, value: unknown): string {
  const text: unknown = codec.encode(value);
  if (typeof text === 'string') return text;
  throw new TypeError(
    `redis: what the codec's "encode" returns must be a text (got ${text instanceof Promise ? 'a promise' : typeof text})`,
  );
}

/** Half of a character, which no text in UTF-8 can hold, and the mark that stands for it. */
const lone = /[\uD800-\uDFFF\uFFFE]/u;
const wellFormed = (key: string): string => key.replaceAll(/[\uD800-\uDFFF\uFFFE]/gu, (half) => `\uFFFE${half.charCodeAt(0).toString(16)}`);

/** A step on a state. What Redis refuses to a limiter is remembered; where it cannot be asked, a limiter decides without it. */
class StepAsk<S extends object, P, D extends { readonly resetAfter: number }> extends Ask<P, D> {
  readonly #common: Common;
  readonly #algorithm: Algorithm<S, P, D>;
  readonly #now: number;
  readonly #era: number;

  constructor(
    common: Common,
    algorithm: Algorithm<S, P, D>,
    key: string,
    step: LuaStep<P, D>,
    params: P,
    args: readonly (string | number)[],
    now: number,
    resolve: (decision: D) => void,
    reject: (error: unknown) => void,
  ) {
    super(key, step, params, args, false, resolve, reject);
    this.#common = common;
    this.#algorithm = algorithm;
    this.#now = now;
    this.#era = common.refusals?.era ?? 0;
  }

  override failed(error: unknown): void {
    try {
      this.resolve(otherwise(this.#common, this.key, this.#algorithm, this.params, error));
    } catch (failure) {
      this.reject(failure);
    }
  }

  protected override decide(reply: LuaReply): D {
    const decision = super.decide(reply);
    const { refusals } = this.#common;
    if (refusals && reply[0] !== 1 && this.#algorithm.unasked) {
      refusals.add(this.key, this.params as Quota, decision as unknown as Verdict, this.#now, this.#era);
    }
    return decision;
  }
}

function luaOf<S extends object, P, D extends { readonly resetAfter: number }>({ name, lua }: Algorithm<S, P, D>): LuaStep<P, D> {
  if (lua) return lua;
  throw new OptionsError(`redis: the algorithm '${name}' has no step in Lua; give it a member "lua", or keep it in memory()`);
}

/** What decides when Redis cannot be asked. Memory answers without a promise. */
function otherwise<S extends object, P, D extends { readonly resetAfter: number }>(
  { instead }: Common,
  key: string,
  algorithm: Algorithm<S, P, D>,
  params: P,
  error: unknown,
): D {
  if (!algorithm.unasked || instead === 'closed' || isRefusal(error)) throw error;
  return instead === 'open' ? algorithm.unasked(params) : (instead.step(key, algorithm, params) as D);
}

/** Whether Redis is well, but will not do what was asked: nobody decides in its place, or it would go unnoticed. */
function isRefusal(error: unknown): boolean {
  return error instanceof StoreUnavailableError && !error.down;
}

function unasked(algorithm: Algorithm<object, never>, params: never): Verdict {
  if (algorithm.unasked) return algorithm.unasked(params);
  throw new OptionsError(`redis: the algorithm '${algorithm.name}' cannot go on without Redis`);
}
