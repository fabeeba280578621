import { algorithms, type QuotaAlgorithm } from '../algorithms/index.js';
import type { Call } from '../core/call.js';
import { callerKey, type KeyMaker } from '../core/callerKey.js';
import { OptionsError, quotaExceeds } from '../core/errors.js';
import { ByName } from '../core/identity.js';
import type { Around, Next, Place, Runtime } from '../core/policy.js';
import { rejected } from '../core/rejected.js';
import type { Awaitable, Store } from '../core/provider.js';
import { type Keyed, limitName, type LimitRule, openLimit, quotaOf, type Ruling, spendAll } from './limit.js';
import { Line } from './line.js';
import { Turns } from './turns.js';

/** A limit with the key function it is spent under. */
export interface KeyedRule extends LimitRule {
  readonly keymaker: KeyMaker | undefined;
}

/** What a limiter does, whatever options it came from. */
export interface Plan {
  readonly rules: readonly KeyedRule[];
  readonly name: string | undefined;
  readonly cost: number | ((...args: unknown[]) => number);
  readonly wait: boolean;
  readonly maxWait: number;
  /** Hears what is ruled about each call, before it runs or is refused. */
  readonly told?: (call: Call, ruling: Ruling) => void;
}

/** Refuses or delays calls over a limit. A refused call costs nothing. */
export class Limiter implements Around {
  readonly #plan: Plan;
  readonly #runtime: Runtime;
  readonly #stores: ByName<{ readonly name: string; readonly store: Store }>;
  /** Whether all limits count by one key. */
  readonly #oneKey: boolean;
  readonly #turns = new Map<string, Turns>();
  readonly #lines = new Map<string, Line>();
  readonly #only: (KeyedRule & { readonly step: QuotaAlgorithm; readonly one: ReturnType<typeof quotaOf> }) | undefined;

  constructor(policy: string, plan: Plan, runtime: Runtime, place: Place) {
    this.#plan = plan;
    this.#runtime = runtime;
    const [rule] = plan.rules;
    this.#oneKey = plan.rules.every(({ keymaker }) => keymaker === rule?.keymaker);
    this.#stores = new ByName(runtime, policy, place, plan.name, (name) => ({
      name,
      store: openLimit(runtime, limitName(policy, plan.rules, name), plan.rules),
    }));
    if (plan.rules.length === 1 && rule && plan.cost === 1)
      this.#only = { ...rule, step: algorithms[rule.algorithm], one: quotaOf(rule, 1) };
  }

  run(call: Call, next: Next): Promise<unknown> {
    const only = this.#only;
    // Most limiters have one limit and a cost of 1, and nobody waits.
    if (only === undefined || this.#lines.size > 0) return this.#general(call, next);
    const key = only.keymaker === undefined ? '' : callerKey(only.keymaker, call, 'keymaker');
    const verdict = this.#stores.of(call).store.step(key, only.step, only.one);
    if (verdict instanceof Promise)
      return verdict.then((known) => this.#ruled({ verdict: known, keyed: { rule: only, key, whose: key } }, call, next, 1));
    if (verdict.allowed && verdict.delay === 0 && this.#plan.told === undefined) return next(call);
    return this.#ruled({ verdict, keyed: { rule: only, key, whose: key } }, call, next, 1);
  }

  #general(call: Call, next: Next): Promise<unknown> {
    const cost = this.#cost(call);
    const all = this.#plan.rules.map((rule, i): Keyed => {
      const key = rule.keymaker === undefined ? '' : callerKey(rule.keymaker, call, 'keymaker');
      if (this.#plan.rules.length === 1) return { rule, key, whose: key };
      // Between the braces stands what all of them have in common: in a Redis cluster they then lie in one slot.
      const together = this.#oneKey ? key : this.#stores.of(call).name;
      return { rule, key: `{=${together}}${i}:${rule.algorithm}:${this.#oneKey ? '' : key}`, whose: key };
    });
    const possible = all.every(({ rule }) => cost <= rule.capacity);
    if (possible && this.#lines.has(lineKey(call, all))) return this.#queue(call, next, all, cost);
    const ruling = this.#spend(call, all, cost);
    return ruling instanceof Promise
      ? ruling.then((known) => this.#ruled(known, call, next, cost, all))
      : this.#ruled(ruling, call, next, cost, all);
  }

  #spend(call: Call, all: readonly Keyed[], cost: number): Awaitable<Ruling> {
    const { store } = this.#stores.of(call);
    const [only] = all;
    if (all.length > 1 || only === undefined) return spendAll(store, all, cost);
    const verdict = store.step(only.key, algorithms[only.rule.algorithm], quotaOf(only.rule, cost));
    return verdict instanceof Promise ? verdict.then((known) => ({ verdict: known, keyed: only })) : { verdict, keyed: only };
  }

  #ruled(ruling: Ruling, call: Call, next: Next, cost: number, all: readonly Keyed[] = [ruling.keyed]): Promise<unknown> {
    const { verdict, keyed } = ruling;
    this.#plan.told?.(call, ruling);
    if (verdict.allowed) return verdict.delay > 0 ? this.#takeTurn(ruling, call, next, cost, all) : next(call);
    if (this.#plan.wait && verdict.retryAfter <= this.#plan.maxWait && verdict.retryAfter !== Infinity) {
      return this.#queue(call, next, all, cost);
    }
    const retryAfter = verdict.retryAfter / 1000;
    this.#runtime.events.emit('throttled', call, { key: keyed.whose, retryAfter });
    return rejected(
      quotaExceeds(call.name || (this.#plan.name ?? ''), keyed.rule.quota, keyed.rule.duration, verdict.retryAfter, keyed.whose),
    );
  }

  /** Waits until the limit admits the call, behind those who wait already. */
  #queue(call: Call, next: Next, all: readonly Keyed[], cost: number): Promise<unknown> {
    const key = lineKey(call, all);
    let line = this.#lines.get(key);
    if (!line) this.#lines.set(key, (line = new Line(this.#runtime.clock, () => this.#lines.delete(key))));
    const started = this.#runtime.clock.monotonic();
    return line
      .wait(call, this.#plan.maxWait, () => this.#spend(call, all, cost))
      .then((ruling) => {
        if (!ruling.verdict.allowed) {
          const { quota, duration: span } = ruling.keyed.rule;
          this.#runtime.events.emit('throttled', call, { key: ruling.keyed.whose, retryAfter: ruling.verdict.retryAfter / 1000 });
          throw quotaExceeds(call.name || (this.#plan.name ?? ''), quota, span, ruling.verdict.retryAfter, ruling.keyed.whose);
        }
        const seconds = (this.#runtime.clock.monotonic() - started) / 1000;
        this.#runtime.events.emit('delayed', call, { key: ruling.keyed.whose, seconds });
        return ruling.verdict.delay > 0 ? this.#takeTurn(ruling, call, next, cost, all) : next(call);
      });
  }

  /** Waits for the instant that a leaky bucket reserved. */
  #takeTurn({ verdict, keyed }: Ruling, call: Call, next: Next, cost: number, all: readonly Keyed[]): Promise<unknown> {
    const key = lineKey(call, all);
    let turns = this.#turns.get(key);
    if (!turns) this.#turns.set(key, (turns = new Turns(this.#runtime.clock, () => this.#turns.delete(key))));
    this.#runtime.events.emit('delayed', call, { key: keyed.whose, seconds: verdict.delay / 1000 });
    const giveBack = (left: number): void => {
      for (const { rule, key: spent } of all)
        void this.#giveBack(this.#stores.of(call).store, rule, spent, cost, left).catch(() => undefined);
    };
    return turns.wait(call, verdict.delay, giveBack).then(() => next(call));
  }

  /** Gives back what was spent. An instant that another process has queued up behind stays a hole: filled again, it would be taken twice. */
  async #giveBack(store: Store, rule: LimitRule, key: string, cost: number, left: number): Promise<void> {
    const algorithm = algorithms[rule.algorithm];
    if (store.shared && rule.algorithm === 'leaky_bucket') {
      const { resetAfter } = await store.step(key, algorithm, quotaOf(rule, 0));
      const last = resetAfter - (cost * rule.duration) / rule.quota;
      if (last > left + slack) return;
    }
    await store.step(key, algorithm, quotaOf(rule, -cost));
  }

  #cost(call: Call): number {
    const { cost } = this.#plan;
    if (typeof cost === 'number') return cost;
    const spent = cost.apply(call.self, [...call.args]);
    if (Number.isSafeInteger(spent) && spent >= 0) return spent;
    throw new OptionsError(`${call.name}: what "cost" returns must be a whole number of at least 0 (got ${String(spent)})`);
  }
}

/** By how many milliseconds the instants of two machines may be apart and still be one. */
const slack = 5;

const lineKey = (call: Call, all: readonly Keyed[]): string => `${call.name}\n${all.map(({ key }) => key).join('\n')}`;
