import { PremierError } from '../../core/errors.js';
import { Call } from '../../core/call.js';
import { discard, isSource } from '../../http/body.js';
import { type Head, type Lease, leaseOf, type Rules } from '../../http/caching/storable.js';
import { type Stored, storedOf } from '../../http/caching/stored.js';
import { updatedFields } from '../../http/caching/storedFields.js';
import { isNeverStored } from '../../http/caching/unstored.js';
import { variantOf, variesBy, whoAsks } from '../../http/caching/varying.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { headerOf, joinedOf } from '../../http/headers.js';
import { Answered, Problem } from '../../http/problem.js';
import type { Flight } from './cacheFlight.js';
import { askerOf, conditionsFor, whoOf } from './cacheRequest.js';
import type { HttpSpace, Variant, Writing } from './cacheSpace.js';
import { Tee } from './cacheTee.js';
import { discardFailures } from './failures.js';

/** What every request of one path has in common. */
export interface Filling {
  readonly space: HttpSpace;
  readonly rules: Rules;
  readonly vary: readonly string[];
  readonly maxBytes: number;
  readonly now: () => number;
  readonly monotonic: () => number;
}

/** What is known of the request before it is made. */
export interface Known {
  readonly traits: number;
  /** The stale answer that it is to replace. */
  readonly old: Stored | undefined;
  /** What told answers to this address apart before. */
  readonly fields: readonly string[];
}

/** What came of a request to the upstream: an answer to pass on, or a stored one to serve. */
export type Filled =
  | { readonly answer: Answer; readonly kept: boolean }
  | { readonly stored: Stored; readonly how: 'REVALIDATED' | 'STALE'; readonly status: number };

/** One request to the upstream whose answer may be kept, on a life of its own: it ends with nobody's client. */
export class Fill {
  readonly exchange: Exchange;
  readonly #call: Call;
  readonly #filling: Filling;
  readonly #traits: number;
  readonly #fields: readonly string[];
  readonly #old: Stored | undefined;
  readonly #flight: Flight | undefined;
  #writing: Writing | undefined = undefined;
  #tee: Tee | undefined = undefined;
  #requestedAt = 0;

  constructor(filling: Filling, original: Exchange, call: Call, { traits, old, fields }: Known, flight: Flight | undefined) {
    this.#filling = filling;
    this.#traits = traits;
    this.#fields = fields;
    this.#old = old;
    this.#flight = flight;
    // What a client has says nothing about what all others get: only a request that goes alone may carry its own conditions.
    const own = old === undefined && flight === undefined;
    this.exchange = original.copy({ started: filling.monotonic() });
    if (!own) this.exchange.assert.push(...conditionsFor(old?.headers));
    this.#call = new Call(call.site, call.self, [this.exchange], undefined);
    flight?.onStop((reason) => this.stop(reason));
  }

  /** Asks. Rejects with what the upstream's failure was, unless a stale answer may stand in for it. */
  async run(key: string, next: (call: Call) => Promise<Answer>, mayKeep: boolean): Promise<Filled> {
    const { space, now } = this.#filling;
    try {
      if (mayKeep) {
        const begun = space.begin(key);
        this.#writing = begun instanceof Promise ? await begun : begun;
      }
      this.#requestedAt = now();
      return this.#answered(await next(this.#call));
    } catch (error) {
      if (error instanceof Answered && isUpstreams(error.answer, this.exchange)) return this.#answered(error.answer);
      return this.#failed(error);
    }
  }

  /** Nobody wants it any more. */
  stop(reason: Error): void {
    if (this.#tee) this.#tee.abandon(reason);
    else this.#call.abort(reason);
  }

  /** Lets go of the failures of attempts that nobody will be told. */
  discardFailures(): void {
    discardFailures(this.exchange);
  }

  #answered(answer: Answer): Filled {
    const receivedAt = this.#filling.now();
    const old = this.#old;
    if (answer.handled === true || answer.tunnel !== undefined || isNeverStored(answer)) return this.#unkept(answer, false);
    if (old !== undefined && answer.status >= 500 && receivedAt < old.errorUntil) return this.#stale(old, answer);
    if (old !== undefined && answer.status === 304) return this.#confirmed(old, answer, receivedAt);
    // A copy: the answer's own fields are changed on their way to the client.
    const head: Head = { status: answer.status, headers: answer.headers.slice(), requestedAt: this.#requestedAt, receivedAt };
    if (this.exchange.method === 'HEAD')
      return this.#unkept(answer, headerOf(answer.headers, 'etag') !== (old && headerOf(old.headers, 'etag')));
    const lease = this.#writing && leaseOf(head, askerOf(this.#traits), this.#filling.rules);
    const fields = lease && variesBy(answer.headers, this.#varyFor(lease));
    if (lease === undefined || fields === undefined || declaredOf(answer) > this.#filling.maxBytes) {
      return this.#unkept(answer, answer.status < 500 && !partial.has(answer.status));
    }
    return this.#keep(answer, head, lease, fields);
  }

  #keep(answer: Answer, head: Head, lease: Lease, fields: readonly string[]): Filled {
    const variant: Variant | undefined = fields.length === 0 ? undefined : { fields, text: this.#variantOf(fields) };
    this.#flight?.found((waiter) => variant === undefined || waiter.variantOf(fields) === variant.text);
    const done = (body: Uint8Array | undefined): void => this.#whole(body, answer, head, lease, variant);
    if (!isSource(answer.body)) {
      done(answer.body ?? new Uint8Array());
      return { answer, kept: true };
    }
    const flight = this.#flight;
    this.#tee = new Tee(answer.body, this.#filling.maxBytes, { wanted: () => flight !== undefined && flight.waiters.size > 0, done });
    answer.body = this.#tee;
    return { answer, kept: true };
  }

  /** All of the body came, or never will. */
  #whole(body: Uint8Array | undefined, answer: Answer, head: Head, lease: Lease, variant: Variant | undefined): void {
    const { space, maxBytes } = this.#filling;
    const writing = this.#writing as Writing;
    const declared = declaredOf(answer);
    if (body === undefined || body.length > maxBytes || (declared > 0 && declared !== body.length)) {
      space.leave(writing);
      return this.#release(body === undefined || body.length > maxBytes);
    }
    const stored = storedOf(head, body, lease);
    this.#flight?.share(space);
    void space.write(writing, stored, variant);
    this.#flight?.land({ stored, stale: false });
  }

  /** The upstream says that what is stored still holds. */
  #confirmed(old: Stored, answer: Answer, receivedAt: number): Filled {
    discard(answer.body, replaced);
    const headers = updatedFields(old.headers, answer.headers);
    const head: Head = { status: old.status, headers, requestedAt: this.#requestedAt, receivedAt };
    const lease = leaseOf(head, askerOf(this.#traits), this.#filling.rules);
    const fields = lease && variesBy(headers, this.#varyFor(lease));
    if (lease === undefined || fields === undefined || this.#writing === undefined) {
      // It may be used once more, for whoever asked: the upstream has just said so.
      const once: Stored = { ...old, headers: headers.filter((_, i) => headers[i - (i % 2)]?.toLowerCase() !== 'age') };
      this.#drop();
      return { stored: once, how: 'REVALIDATED', status: 304 };
    }
    const stored = storedOf(head, old.body, lease);
    const variant: Variant | undefined = fields.length === 0 ? undefined : { fields, text: this.#variantOf(fields) };
    this.#flight?.found((waiter) => variant === undefined || waiter.variantOf(fields) === variant.text);
    void this.#filling.space.write(this.#writing, stored, variant);
    this.#flight?.land({ stored, stale: false });
    return { stored, how: 'REVALIDATED', status: 304 };
  }

  #failed(error: unknown): Filled {
    const old = this.#old;
    if (old !== undefined && isOutage(error) && this.#filling.now() < old.errorUntil) return this.#stale(old, undefined);
    if (this.#writing) this.#filling.space.leave(this.#writing);
    // An outage meets all who wait: to send each of them up would only add to it. What an upstream said to one is not for others.
    if (isOutage(error) && !(error instanceof Answered)) this.#flight?.fail(error);
    else this.#flight?.land(undefined);
    throw error;
  }

  #stale(old: Stored, failure: Answer | undefined): Filled {
    if (failure) discard(failure.body, replaced);
    if (this.#writing) this.#filling.space.leave(this.#writing);
    this.#flight?.land({ stored: old, stale: true });
    return { stored: old, how: 'STALE', status: failure?.status ?? 0 };
  }

  /** The answer is for its asker alone. What was stored before it is no longer true. */
  #unkept(answer: Answer, replaces: boolean): Filled {
    if (replaces && this.#old !== undefined) this.#drop();
    else if (this.#writing) this.#filling.space.leave(this.#writing);
    this.#release(replaces);
    return { answer, kept: false };
  }

  #drop(): void {
    if (this.#writing) this.#filling.space.leave(this.#writing);
    if (this.#writing) void this.#filling.space.drop(this.#writing.key);
    this.#release(true);
  }

  /** Those who wait go on their own, and for a while nobody waits for this. */
  #release(remember: boolean): void {
    if (remember) this.#flight?.unshare(this.#filling.space);
    this.#flight?.land(undefined);
  }

  #varyFor({ personal }: Lease): readonly string[] {
    // Fields that told answers apart go on doing so: an answer without them would push out all the others.
    const known = [...this.#filling.vary, ...this.#fields];
    return personal ? [...known, whoAsks] : known;
  }

  #variantOf(fields: readonly string[]): string {
    return variantOf(fields, this.exchange.headers, () => whoOf(this.exchange));
  }
}

/** Statuses that say nothing about the whole of what is asked for. */
const partial = new Set([206, 304, 412, 416, 429]);

const replaced = new Error('a stored answer took its place');

/** The length that an answer says its body has; −1 where it does not. */
function declaredOf({ headers }: Answer): number {
  const declared = headerOf(headers, 'content-length');
  return declared === undefined || joinedOf(headers, 'transfer-encoding') !== undefined ? -1 : Number(declared);
}

/** Whether a thrown answer is what the upstream said, and not what a feature says in its place. */
function isUpstreams(answer: Answer, { failures }: Exchange): boolean {
  return failures !== undefined && failures.includes(answer);
}

/** Whether the upstream, or the way to it, is what failed. */
function isOutage(error: unknown): boolean {
  if (error instanceof Answered) return error.answer.status >= 500;
  if (error instanceof Problem) return error.status >= 500;
  return error instanceof PremierError && error.statusCode >= 500;
}

/** What a client gets to know of the request that was made for it. */
export function adopt(exchange: Exchange, copy: Exchange): void {
  exchange.idle = copy.idle;
  exchange.server = copy.server;
  exchange.retries = copy.retries;
  exchange.failures = copy.failures;
  exchange.tie = copy.tie;
  exchange.reply.push(...copy.reply);
}
