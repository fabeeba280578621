import type { Quota } from '../algorithms/index.js';
import { OptionsError } from '../core/errors.js';
import type { Algorithm, Awaitable, LuaReply, Provider, Seen, SharedValues, Step, Store, Verdict } from '../core/provider.js';
import type { Codec } from './codec.js';
import type { AnyStep } from './harness.js';
import type { Link, Step as LinkStep } from './link.js';
import type { Refusals } from './refusals.js';
import { begin, drop, leave, parse, put, set } from './values.js';

/** What all stores of one provider have in common. */
export interface Common {
  readonly link: Link;
  readonly codec: Codec;
  readonly refusals: Refusals | undefined;
  /** What decides while Redis is down; `undefined` when nothing shall. */
  readonly instead: 'open' | 'closed' | Provider;
}

type AnyAlgorithm = Algorithm<object, never>;

/** The keys of Redis below a prefix. */
export class RedisStore implements Store {
  protected readonly common: Common;
  readonly #prefix: string;
  readonly shared: SharedValues;
  readonly #args = new WeakMap<object, readonly (string | number)[]>();

  constructor(common: Common, prefix: string) {
    this.common = common;
    this.#prefix = prefix;
    const { link, codec } = common;
    this.shared = {
      read: (key) => this.#seen(key),
      begin: (key) => link.change(this.#key(key), begin, link.token()),
      put: (key, value, ttl, fence) => link.change(this.#key(key), put, { fence, ttl, text: codec.encode(value) }),
      leave: async (key, fence) => void (await link.change(this.#key(key), leave, fence)),
    };
  }

  async get(key: string): Promise<unknown> {
    return (await this.#seen(key)).value;
  }

  async set(key: string, value: unknown, ttlMs?: number): Promise<void> {
    const { link, codec } = this.common;
    await link.change(this.#key(key), set, { fence: link.token(), ttl: ttlMs, text: codec.encode(value) });
  }

  async delete(key: string): Promise<boolean> {
    const { link, refusals, instead } = this.common;
    const whole = this.#key(key);
    refusals?.delete(whole);
    if (typeof instead === 'object') void instead.delete(whole);
    return link.must(`drop ${whole}`, this.#prefix, () => link.change(whole, drop, ''), () => link.now(whole, drop, ''));
  }

  async has(key: string): Promise<boolean> {
    const raw = await this.common.link.read(this.#key(key));
    if (typeof raw !== 'string' || raw.startsWith('~')) return false;
    return !raw.startsWith('=') || !this.#expired(parse(raw, () => undefined));
  }

  step<S extends object, P, D extends { readonly resetAfter: number }>(
    key: string,
    algorithm: Algorithm<S, P, D>,
    params: P,
  ): Awaitable<D> {
    const { link, refusals } = this.common;
    const whole = this.#key(key);
    const quota = algorithm.unasked ? (params as Quota) : undefined;
    if (!quota || !refusals) return this.#ask(whole, algorithm, params, undefined);
    const now = link.clock.now();
    if (quota.cost <= 0) {
      if (quota.cost < 0) refusals.delete(whole);
    } else if (!refusals.none) {
      const known = refusals.find(whole, quota, now);
      if (known) return known as unknown as D;
    }
    return this.#ask(whole, algorithm, params, (decision) => {
      const verdict = decision as unknown as Verdict;
      if (!verdict.allowed) refusals.add(whole, quota, verdict, now);
    });
  }

  stepAll(steps: readonly Step[]): Awaitable<readonly Verdict[]> {
    const { link, instead } = this.common;
    const whole = steps.map((step) => ({ ...step, key: this.#key(step.key) }));
    const [first] = whole;
    if (!first) return [];
    const otherwise = (error: unknown): Awaitable<readonly Verdict[]> => {
      if (instead === 'closed') throw error;
      if (instead === 'open') return whole.map(({ algorithm, params }) => unasked(algorithm, params as never));
      return instead.stepAll(whole);
    };
    if (!link.up(first.key) && instead !== 'closed') return otherwise(undefined);
    const asked = whole.map(({ key, algorithm, params }) => this.#linkStep<Verdict>(key, algorithm, params as never));
    // All of them fail together, and are then decided together.
    return link.stepAll(asked).catch(otherwise);
  }

  #ask<S extends object, P, D extends { readonly resetAfter: number }>(
    key: string,
    algorithm: Algorithm<S, P, D>,
    params: P,
    seen: ((decision: D) => void) | undefined,
  ): Awaitable<D> {
    const { link, instead } = this.common;
    const { unasked: free } = algorithm;
    const otherwise = (error: unknown): D => {
      if (!free || instead === 'closed') throw error;
      // Memory answers without a promise.
      return instead === 'open' ? free(params) : (instead.step(key, algorithm, params) as D);
    };
    if (free && instead !== 'closed' && !link.up(key)) return otherwise(undefined);
    const asked = this.#linkStep<D>(key, algorithm as unknown as AnyAlgorithm, params as never);
    if (!seen) return link.step({ ...asked, instead: otherwise });
    const decide = (reply: LuaReply): D => {
      const decision = asked.decide(reply);
      seen(decision);
      return decision;
    };
    return link.step({ ...asked, decide, instead: otherwise });
  }

  #linkStep<D>(key: string, algorithm: AnyAlgorithm, params: never): LinkStep<D> {
    const step = algorithm.lua as unknown as AnyStep | undefined;
    if (!step) throw new OptionsError(`redis: the algorithm '${algorithm.name}' has no step in Lua; give it a member "lua", or keep it in memory()`);
    return { key, step, args: this.#argsOf(step, params), decide: (reply) => step.decision(reply, params) as D };
  }

  /** Equal params are one object for most limiters: what they become is made once, and travels once. */
  #argsOf(step: AnyStep, params: never): readonly (string | number)[] {
    if (typeof params !== 'object' || params === null) return step.args(params);
    let args = this.#args.get(params);
    if (!args) this.#args.set(params, (args = step.args(params)));
    return args;
  }

  async #seen(key: string): Promise<Seen> {
    const { link, codec } = this.common;
    const seen = parse(await link.read(this.#key(key)), codec.decode);
    return this.#expired(seen) ? { ...seen, value: undefined } : seen;
  }

  /** Redis forgets in time by itself, unless time is told from outside. */
  #expired({ value, expiresAt }: Seen): boolean {
    return this.common.link.told && value !== undefined && this.common.link.clock.now() >= expiresAt;
  }

  #key(key: string): string {
    const whole = this.#prefix + key;
    return lone.test(whole) ? wellFormed(whole) : whole;
  }
}

/** Half of a character, which no text in UTF-8 can hold, and the mark that stands for it. */
const lone = /[\uD800-\uDFFF\uFFFE]/u;
const wellFormed = (key: string): string => key.replaceAll(/[\uD800-\uDFFF\uFFFE]/gu, (half) => `\uFFFE${half.charCodeAt(0).toString(16)}`);

function unasked(algorithm: AnyAlgorithm, params: never): Verdict {
  if (algorithm.unasked) return algorithm.unasked(params) as Verdict;
  throw new OptionsError(`redis: the algorithm '${algorithm.name}' cannot go on without Redis`);
}
