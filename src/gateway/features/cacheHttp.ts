import type { Call } from '../../core/call.js';
import type { Runtime } from '../../core/policy.js';
import type { Awaitable } from '../../core/provider.js';
import { discard, isSource } from '../../http/body.js';
import type { Stored, Variants } from '../../http/caching/stored.js';
import { variantOf } from '../../http/caching/varying.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { headerOf } from '../../http/headers.js';
import { Problem } from '../../http/problem.js';
import { bufferBody } from './bufferBody.js';
import { adopt, Fill, type Filled, type Filling } from './cacheFill.js';
import { Flight, type Landed } from './cacheFlight.js';
import type { Keys } from './cacheKeys.js';
import { has, traitsOf, whoOf } from './cacheRequest.js';
import { passedOn, served } from './cacheServe.js';
import { wholeOf } from './cacheTee.js';
import { noWish, type Wish, wishOf } from './cacheWish.js';

type Next = (call: Call) => Promise<Answer>;

/** What the cache of one path is made of. */
export interface HttpCacheParts extends Filling {
  readonly runtime: Runtime;
  readonly keys: Keys;
  readonly methods: ReadonlySet<string>;
  readonly honorRequest: boolean;
}

/** Methods that change nothing (RFC 9110 9.2.1 and the registry). Any other may have: also those that nobody knows. */
const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH']);

/** One request and what is known about it. */
interface Visit {
  readonly exchange: Exchange;
  readonly call: Call;
  readonly next: Next;
  readonly traits: number;
  readonly wish: Wish;
  readonly key: string;
  /** What tells several answers to this address apart, and which of them it asks for. */
  fields: readonly string[];
  variant: string;
}

/** Answers requests from what is stored, asks for what is not, and drops what has changed. */
export class HttpCache {
  readonly #parts: HttpCacheParts;
  /** Whoever knows the key may have what is under it. */
  readonly #open: boolean;

  constructor(parts: HttpCacheParts) {
    this.#parts = parts;
    this.#open = parts.rules.keyed && parts.rules.storePrivate;
  }

  run(exchange: Exchange, call: Call, next: Next): Promise<Answer> {
    const { method, body } = exchange;
    if (!this.#parts.methods.has(method)) return this.#unlisted(exchange, call, next);
    if (body === undefined) return this.#look(exchange, call, next);
    // A body on GET is not part of the key: its answer must not become everybody's.
    if (method === 'GET' || method === 'HEAD') return this.#pass(exchange, call, next, 'fwd=request');
    return this.#withBody(exchange, call, next);
  }

  #look(exchange: Exchange, call: Call, next: Next): Promise<Answer> {
    const { space, keys, now } = this.#parts;
    const traits = traitsOf(exchange);
    const wish = (traits & has.cacheControl) === 0 ? noWish : wishOf(exchange, this.#parts.honorRequest);
    if (wish.noStore || (traits & has.precondition) !== 0) return this.#pass(exchange, call, next, 'fwd=request');
    const visit: Visit = { exchange, call, next, traits, wish, key: keys.of(exchange), fields: nothing, variant: '' };
    const found = space.read(visit.key, now());
    return found instanceof Promise ? found.then((known) => this.#found(visit, known)) : this.#found(visit, found);
  }

  #found(visit: Visit, found: Stored | Variants | undefined): Promise<Answer> {
    if (found === undefined || found.kind === 'answer 1') return this.#answer(visit, found, 'uri-miss');
    const { space, now } = this.#parts;
    visit.fields = found.fields;
    visit.variant = variantFor(visit.exchange, found.fields);
    const stored: Awaitable<Stored | undefined> = space.readVariant(visit.key, found, visit.variant, now());
    return stored instanceof Promise
      ? stored.then((one) => this.#answer(visit, one, 'vary-miss'))
      : this.#answer(visit, stored, 'vary-miss');
  }

  #answer(visit: Visit, stored: Stored | undefined, missed: string): Promise<Answer> {
    const { exchange, call, traits, wish, key } = visit;
    const { runtime } = this.#parts;
    if (stored === undefined || !this.#fits(stored, traits)) return this.#miss(visit, stored === undefined ? missed : 'bypass');
    const now = this.#parts.now();
    const stale = now >= stored.freshUntil;
    const allowed = wish.allows(stored, now);
    if (allowed && !stale) {
      runtime.events.hit(call, key);
      return Promise.resolve(served(stored, exchange, traits, now, 'HIT', 'hit'));
    }
    if (!allowed && (now >= stored.staleUntil || wish.again)) {
      if (wish.onlyIfCached) throw new Problem('gateway_timeout', { message: notCached });
      return this.#fetch(visit, stored, stale ? 'stale' : 'request');
    }
    runtime.events.emit('cacheStale', call, { key, because: 'revalidate' });
    if (exchange.method !== 'HEAD' && !allowed) this.#refresh(visit, stored);
    return Promise.resolve(served(stored, exchange, traits, now, 'STALE', 'hit'));
  }

  #miss(visit: Visit, why: string): Promise<Answer> {
    const { exchange, call, next, traits, wish, key } = visit;
    if (wish.onlyIfCached) throw new Problem('gateway_timeout', { message: notCached });
    this.#parts.runtime.events.miss(call, key);
    if ((traits & has.range) !== 0) return this.#pass(exchange, call, next, `fwd=${why}`);
    return this.#fetch(visit, undefined, why);
  }

  /** Whether a stored answer may be given to whoever asks (RFC 9111 3.5), or is that caller's own. */
  #fits(stored: Stored, traits: number): boolean {
    if (this.#open || stored.personal || stored.shared || (traits & (has.authorization | has.consumer | has.cookie)) === 0) return true;
    if ((traits & (has.authorization | has.consumer)) !== 0) return false;
    return !stored.implied || this.#parts.rules.keyed;
  }

  #fetch(visit: Visit, old: Stored | undefined, why: string): Promise<Answer> {
    const { exchange, traits } = visit;
    const { space, now } = this.#parts;
    const name = nameOf(visit);
    const lonely = exchange.method === 'HEAD' || (old === undefined && (traits & has.condition) !== 0) || space.isUnshared(name, now());
    if (lonely) return this.#ask(visit, old, why, undefined);
    const flight = space.flights.get(name);
    if (flight === undefined) return this.#ask(visit, old, why, new Flight(space.flights, name, visit.key));
    const landing = flight.join(
      (fields) => variantFor(exchange, fields),
      (leave) => visit.call.onAbort(leave),
    );
    return landing.then((landed) => this.#landed(visit, landed, old, why));
  }

  #landed(visit: Visit, landed: Landed, old: Stored | undefined, why: string): Promise<Answer> | Answer {
    const { exchange, traits } = visit;
    if (landed === undefined || !this.#fits(landed.stored, traits)) return this.#ask(visit, old, why, undefined);
    return served(landed.stored, exchange, traits, this.#parts.now(), landed.stale ? 'STALE' : 'HIT', `fwd=${why}; collapsed`);
  }

  /** Asks the upstream for a client, and for those who wait for the same. */
  #ask(visit: Visit, old: Stored | undefined, why: string, flight: Flight | undefined): Promise<Answer> {
    const { exchange, call, next, traits, key } = visit;
    const fill = new Fill(this.#parts, exchange, call, { traits, old, fields: visit.fields }, flight);
    return new Promise((resolve, reject) => {
      const forget = call.onAbort((reason) => {
        reject(reason);
        if (flight) flight.unlead();
        else fill.stop(left);
      });
      const settle = (done: () => void): void => {
        forget();
        flight?.pass();
        adopt(exchange, fill.exchange);
        done();
      };
      fill.run(key, next, exchange.method !== 'HEAD' || old !== undefined).then(
        (filled) => {
          if (!call.aborted) return settle(() => resolve(this.#of(visit, filled, why)));
          flight?.pass();
          fill.discardFailures();
          if ('answer' in filled) discard(filled.answer.body, left);
        },
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }

  #of({ exchange, call, traits, key }: Visit, filled: Filled, why: string): Answer {
    if ('answer' in filled) return passedOn(filled.answer, exchange, 'MISS', `fwd=${why}${filled.kept ? '; stored' : ''}`);
    const { stored, how, status } = filled;
    if (how === 'STALE') this.#parts.runtime.events.emit('cacheStale', call, { key, because: 'error' });
    const told = `fwd=${why}${status === 0 ? '' : `; fwd-status=${status}`}`;
    return served(stored, exchange, traits, this.#parts.now(), how, told);
  }

  /** Asks for a new answer in the background, once for all who get the stale one. */
  #refresh(visit: Visit, stored: Stored): void {
    const { exchange, call, next, traits, key } = visit;
    const { space, runtime, maxBytes } = this.#parts;
    const name = nameOf(visit);
    if (space.flights.has(name)) return;
    const flight = new Flight(space.flights, name, key);
    const fill = new Fill(this.#parts, exchange, call, { traits, old: stored, fields: visit.fields }, flight);
    fill
      .run(key, next, true)
      .then((filled) => ('answer' in filled && isSource(filled.answer.body) ? wholeOf(filled.answer.body, maxBytes) : undefined))
      .catch((error: unknown) => runtime.events.emit('cacheFailed', call, { key, error }))
      .finally(() => fill.discardFailures());
  }

  async #withBody(exchange: Exchange, call: Call, next: Next): Promise<Answer> {
    await bufferBody(exchange, longestAsked);
    if (!(exchange.body instanceof Uint8Array)) return this.#unlisted(exchange, call, next);
    const answer = await this.#look(exchange, call, next);
    if (!safe.has(exchange.method) && exchange.cacheResult === 'miss') await this.#changed(exchange, answer);
    return answer;
  }

  /** A method that is not kept. What it changes is dropped. */
  #unlisted(exchange: Exchange, call: Call, next: Next): Promise<Answer> {
    if (safe.has(exchange.method)) return this.#pass(exchange, call, next, 'fwd=method');
    return next(call).then((answer) => {
      const changed = this.#changed(exchange, answer);
      const passed = passedOn(answer, exchange, 'BYPASS', 'fwd=method');
      return changed === undefined ? passed : changed.then(() => passed);
    });
  }

  /** RFC 9111 4.4: after a change, the address and those that the answer names are no longer what they were. */
  #changed(exchange: Exchange, { status, headers }: Answer): Promise<unknown> | undefined {
    if (status < 200 || status >= 400) return undefined;
    const { space, keys } = this.#parts;
    const dropped = keys
      .changedBy(exchange, [headerOf(headers, 'location'), headerOf(headers, 'content-location')])
      .map((key) => space.drop(key));
    return dropped.some((one) => one instanceof Promise) ? Promise.all(dropped) : undefined;
  }

  #pass(exchange: Exchange, call: Call, next: Next, status: string): Promise<Answer> {
    return next(call).then((answer) => passedOn(answer, exchange, 'BYPASS', status));
  }
}

/** The longest body of a request that is part of a key. */
const longestAsked = 65_536;
const nothing: readonly string[] = [];
const notCached = 'This is not stored here';
const left = new Error('the client closed the connection');

function variantFor(exchange: Exchange, fields: readonly string[]): string {
  return variantOf(fields, exchange.headers, () => whoOf(exchange));
}

/** Who waits for whom. Those with credentials wait for none but themselves, those with cookies for none without. */
function nameOf({ exchange, key, variant, traits }: Visit): string {
  if ((traits & (has.authorization | has.consumer)) !== 0) return `${key}\n${variant}\n${whoOf(exchange)}`;
  return (traits & has.cookie) === 0 ? `${key}\n${variant}` : `${key}\n${variant}\ncookie`;
}
