import type { Call } from '../../core/call.js';
import type { Around, Next, Runtime } from '../../core/policy.js';
import { updatedFields } from '../../http/caching/storedFields.js';
import { storedOf } from '../../http/caching/stored.js';
import type { Head } from '../../http/caching/storable.js';
import { variesBy } from '../../http/caching/varying.js';
import type { RawHeaders } from '../../http/headers.js';
import { discardResponse } from './attempt.js';
import { isForServer, rawOf, type Wish, whoOf, wishOf } from './cacheRequest.js';
import { conditionsOf, notKept, observed, privateLeaseOf, servedOf } from './cacheResponse.js';
import type { CacheRules } from './cacheRules.js';
import type { CacheStore, Filling, Kept } from './cacheStore.js';
import { failureOf } from './failures.js';
import type { FetchTrip } from './fetchTrip.js';

/** One request that the cache may answer. */
interface Visit {
  readonly trip: FetchTrip;
  readonly call: Call;
  readonly next: Next;
  readonly address: string;
  readonly headers: RawHeaders;
  readonly who: string;
}

/** A private cache of RFC 9111 around a `fetch`. */
export class FetchCache implements Around {
  readonly #rules: CacheRules;
  readonly #store: CacheStore;
  readonly #runtime: Runtime;
  /** Stale answers for which a new one is being asked for. */
  readonly #refreshed = new Set<Kept>();

  constructor(rules: CacheRules, store: CacheStore, runtime: Runtime) {
    this.#rules = rules;
    this.#store = store;
    this.#runtime = runtime;
  }

  run(call: Call, next: Next): Promise<unknown> {
    const trip = call.args[0] as FetchTrip;
    const { method } = trip;
    if (method !== 'GET' && method !== 'HEAD') return this.#changing(trip, call, next);
    const headers = rawOf(trip.headers);
    if (isForServer(trip, headers)) return next(call);
    const address = addressOf(trip.url);
    return this.#answer({ trip, call, next, address, headers, who: whoOf(headers) }, wishOf(trip, headers));
  }

  async #answer(visit: Visit, wish: Wish): Promise<Response> {
    const { trip, call, address, headers, who } = visit;
    const now = this.#runtime.clock.now();
    const kept = this.#store.find(address, who, headers, now);
    if (kept !== undefined && wish.allows(kept.stored, now)) {
      this.#runtime.events.hit(call, address);
      return servedOf(kept, trip.url, trip.method, now, 'hit');
    }
    if (wish.onlyIfCached) return notKept(trip.url);
    if (kept === undefined) this.#runtime.events.miss(call, address);
    else if (now >= kept.stored.freshUntil && now < kept.stored.staleUntil && trip.cacheMode === 'default') {
      this.#refresh(visit, kept);
      return this.#stale(visit, kept, 'revalidate');
    }
    return trip.method === 'HEAD' ? (visit.next(call) as Promise<Response>) : this.#ask(visit, kept);
  }

  async #ask(visit: Visit, kept: Kept | undefined): Promise<Response> {
    const { trip, next, address } = visit;
    const { clock } = this.#runtime;
    // `reload` wants nothing of what is kept.
    const conditions = kept === undefined || trip.cacheMode === 'reload' ? undefined : conditionsOf(kept);
    const call = conditions === undefined ? visit.call : visit.call.fork([trip.asking(conditions)]);
    const filling = this.#store.begin(address);
    const requestedAt = clock.now();
    let response: Response;
    try {
      response = (await next(call)) as Response;
    } catch (error) {
      this.#store.end(filling);
      if (kept !== undefined && failureOf(error) !== undefined && clock.now() < kept.stored.errorUntil)
        return this.#stale(visit, kept, 'error');
      throw error;
    }
    const head: Head = { status: response.status, headers: rawOf(response.headers), requestedAt, receivedAt: clock.now() };
    if (kept !== undefined && response.status >= 500 && head.receivedAt < kept.stored.errorUntil) {
      this.#store.end(filling);
      discardResponse(response);
      return this.#stale(visit, kept, 'error');
    }
    if (kept !== undefined && conditions !== undefined && response.status === 304) {
      discardResponse(response);
      return this.#confirmed(visit, filling, kept, head);
    }
    return this.#fill(visit, filling, response, head);
  }

  /** A 304 makes what is kept fresh again (RFC 9111 4.3.4). */
  #confirmed({ trip, headers, who }: Visit, filling: Filling, kept: Kept, head: Head): Response {
    const { stored, statusText } = kept;
    const fresh: Head = { ...head, status: stored.status, headers: updatedFields(stored.headers, head.headers) };
    const lease = privateLeaseOf(fresh, this.#rules);
    this.#store.end(filling);
    const now = this.#runtime.clock.now();
    if (lease === undefined) return servedOf(kept, trip.url, trip.method, now, 'hit; fwd=stale; fwd-status=304');
    const renewed = { stored: storedOf(fresh, stored.body, lease), statusText };
    const fields = variesBy(fresh.headers, []);
    if (fields !== undefined) this.#store.keep(filling, who, headers, fields, renewed);
    return servedOf({ ...kept, ...renewed }, trip.url, trip.method, now, 'hit; fwd=stale; fwd-status=304');
  }

  /** Keeps an answer when the caller has read it. */
  #fill({ trip, address, headers, who }: Visit, filling: Filling, response: Response, head: Head): Response {
    const { maxEntryBytes } = this.#rules;
    const lease = response.redirected ? undefined : privateLeaseOf(head, this.#rules);
    const fields = variesBy(head.headers, []);
    const tooLong = Number(response.headers.get('content-length') ?? 0) > maxEntryBytes;
    const endless = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    if (lease === undefined || fields === undefined || tooLong || endless) {
      this.#store.end(filling);
      // A failure of the moment does not make what is kept wrong.
      if (response.status < 500) this.#store.forget(address, who, headers);
      return response;
    }
    const { statusText } = response;
    return observed(response, trip.url, maxEntryBytes, (body) => {
      this.#store.end(filling);
      if (body !== undefined) this.#store.keep(filling, who, headers, fields, { stored: storedOf(head, body, lease), statusText });
    });
  }

  #stale({ trip, call, address }: Visit, kept: Kept, because: 'revalidate' | 'error'): Response {
    this.#runtime.events.emit('cacheStale', call, { key: address, because });
    return servedOf(kept, trip.url, trip.method, this.#runtime.clock.now(), because === 'error' ? 'hit; fwd=stale' : 'hit');
  }

  /** Asks for a new answer in the background, once, and whoever got the stale one may leave. */
  #refresh(visit: Visit, kept: Kept): void {
    if (visit.trip.method === 'HEAD' || this.#refreshed.has(kept)) return;
    this.#refreshed.add(kept);
    const trip = visit.trip.alone();
    const call = visit.call.detach().fork([trip]);
    this.#ask({ ...visit, trip, call }, { ...kept, stored: { ...kept.stored, errorUntil: 0 } })
      .then(
        (response) => response.arrayBuffer(),
        (error: unknown) => this.#runtime.events.emit('cacheFailed', call, { key: visit.address, error }),
      )
      .finally(() => this.#refreshed.delete(kept))
      .catch(() => undefined);
  }

  /** RFC 9111 4.4: after a change, the address and those that the answer names are no longer what they were. */
  #changing(trip: FetchTrip, call: Call, next: Next): Promise<unknown> {
    if (safe.has(trip.method)) return next(call);
    return next(call).then((answer) => {
      const { status, headers } = answer as Response;
      if (status < 200 || status >= 400) return answer;
      this.#store.drop(addressOf(trip.url));
      for (const named of [headers.get('location'), headers.get('content-location')]) {
        const other = named === null || !URL.canParse(named, trip.url) ? undefined : new URL(named, trip.url);
        if (other?.origin === trip.origin) this.#store.drop(addressOf(other.href));
      }
      return answer;
    });
  }
}

/** Methods that change nothing (RFC 9110 9.2.1). Any other may have. */
const safe = new Set(['OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH']);

/** What a URL says to the server. */
function addressOf(url: string): string {
  const fragment = url.indexOf('#');
  return fragment === -1 ? url : url.slice(0, fragment);
}
