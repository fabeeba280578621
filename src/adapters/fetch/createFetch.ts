import { fn, schema } from '../../core/options.js';
import type { Behaviour, Runtime } from '../../core/policy.js';
import { Premier } from '../../premier.js';
import { attempt, discardResponse } from './attempt.js';
import { FetchCache } from './cache.js';
import { cacheField, cacheRulesOf, type FetchCacheOptions } from './cacheRules.js';
import { CacheStore } from './cacheStore.js';
import {
  clientFields,
  type ClientOptions,
  type ClientPolicies,
  type ClientRules,
  inherited,
  placed,
  policyFields,
  type RetryRules,
  rulesOf,
} from './clientOptions.js';
import { type Fetch, type FetchInput, FetchTrip } from './fetchTrip.js';
import { Hosts } from './hosts.js';
import type { Transport } from './outgoing.js';
import { type Ends, pipelineOf } from './pipeline.js';
import { isRepeatable } from './retrying.js';

/** Policies of a `fetch`, for one host or for all. What is left out is not done. */
export interface FetchPolicies extends ClientPolicies {
  /** Keeps answers to GET, as a private cache of RFC 9111 does. */
  cache?: FetchCacheOptions | false;
}

/** Options of `createFetch`. */
export interface FetchOptions extends FetchPolicies, ClientOptions<FetchPolicies> {
  /**
   * What sends the requests.
   * @default the global `fetch`
   */
  fetch?: Fetch;
}

const fields = { ...policyFields, cache: cacheField };
const ofClient = schema<FetchOptions>('createFetch')({ ...fields, ...clientFields('fetch'), fetch: fn<Fetch>() });

/**
 * A `fetch` with policies by host: retry, circuit breaker, limit, bulkhead, timeouts and cache. It is called like `fetch`, and a response of
 * any status is returned, never thrown. Throws `OptionsError` when the options are wrong.
 */
export function createFetch(options: FetchOptions = {}): Fetch {
  const { premier = new Premier(), name, hosts, fetch: own, ...forAll } = ofClient.parse(options);
  const clients = new Clients(premier, own ?? ((input, init) => globalThis.fetch(input, init)));
  const each = Object.entries(hosts ?? {}).map(([host, its]) => {
    const place = `createFetch: "hosts.${host}"`;
    return [
      host,
      clients.make(`${name} ${host}`, inherited<Given>(forAll, schema<FetchPolicies>(place)(fields).parse(its)), place),
    ] as const;
  });
  const table = new Hosts(clients.make(name, forAll, 'createFetch'), Object.fromEntries(each), 'createFetch');
  return async (input, init) => {
    const address = addressOf(input);
    // What is not asked of a server needs no policies: data:, blob:.
    if (!address.protocol.startsWith('http')) return clients.fetch(input, init);
    return table.of(address)(new FetchTrip(input, address, init));
  };
}

type Client = (trip: FetchTrip) => Promise<Response>;
type Given = { readonly [K in keyof FetchPolicies]: FetchPolicies[K] | undefined };

/** Makes the client of each host. Those that say nothing of a cache share one. */
class Clients {
  readonly #premier: Premier;
  readonly fetch: Fetch;
  readonly #stores = new Map<FetchCacheOptions, CacheStore>();

  constructor(premier: Premier, fetch: Fetch) {
    this.#premier = premier;
    this.fetch = fetch;
  }

  make(name: string, { cache, ...policies }: Given, place: string): Client {
    const rules = rulesOf(policies as ClientPolicies, place);
    const ends = (runtime: Runtime): Ends<Response> => ({
      transport: transportOf(this.fetch, runtime, rules),
      outside: cache ? this.#cache(cache, runtime, place) : undefined,
      beforeRetry: rules.retry && bodiesKept(rules.retry),
    });
    return pipelineOf(this.#premier, name, rules, ends);
  }

  #cache(options: FetchCacheOptions, runtime: Runtime, place: string): Behaviour {
    const rules = placed(place, () => cacheRulesOf(options));
    const store = this.#stores.get(options) ?? new CacheStore(rules.maxBytes);
    this.#stores.set(options, store);
    return new FetchCache(rules, store, runtime);
  }
}

function transportOf(fetch: Fetch, { clock }: Runtime, { body }: ClientRules): Transport<Response> {
  return {
    send: (trip, call) => attempt(fetch, trip as FetchTrip, call, clock, body),
    statusOf: ({ status }) => status,
    retryAfterOf: ({ headers }) => headers.get('retry-after') ?? undefined,
    discard: discardResponse,
  };
}

/** The short body of a `Request` is read before the first attempt, so that there may be a second. */
function bodiesKept({ methods }: RetryRules): Behaviour {
  return {
    run(call, next) {
      const trip = call.args[0] as FetchTrip;
      if (trip.replayable || !isRepeatable(trip, methods)) return next(call);
      return trip.keepBody().then(() => next(call));
    },
  };
}

function addressOf(input: FetchInput): URL {
  const url = typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
  if (URL.canParse(url)) return new URL(url);
  throw new TypeError(`Failed to parse URL from ${url}`);
}
