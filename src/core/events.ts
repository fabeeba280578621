/** What Premier tells while it works, by event name. All spans are in seconds. */
export interface EventDetails {
  /** A cached value was served. */
  cacheHit: { readonly key: string };
  /** Nothing was cached: the function runs. */
  cacheMiss: { readonly key: string };
  /** An expired value was served, while one refresh runs (`revalidate`) or because the refresh failed (`error`). */
  cacheStale: { readonly key: string; readonly because: 'revalidate' | 'error' };
  /** Values were dropped on purpose. */
  cacheInvalidated: { readonly keys?: readonly string[]; readonly tags?: readonly string[]; readonly keyspace?: string };
  /** A value could not be stored, or a background refresh failed. The call itself was answered. */
  cacheFailed: { readonly key: string; readonly error: unknown };
  /** A limiter refused. */
  throttled: { readonly key: string; readonly retryAfter: number };
  /** A limiter made the call wait for its turn. */
  delayed: { readonly key: string; readonly seconds: number };
  /** An attempt failed, another follows after `wait`. */
  retried: { readonly attempt: number; readonly wait: number; readonly error: unknown };
  /** The last attempt failed, or no further one was allowed. */
  retriesExhausted: { readonly attempts: number; readonly error: unknown };
  /** The call took longer than its timeout. */
  timedOut: { readonly seconds: number };
  /** The call took at least `timeit`'s threshold. */
  timed: { readonly seconds: number; readonly failed: boolean };
  /** The circuit opened. */
  circuitOpened: { readonly circuit: string; readonly retryAfter: number };
  /** The circuit lets probes through. */
  circuitHalfOpened: { readonly circuit: string };
  /** The circuit closed again. */
  circuitClosed: { readonly circuit: string };
  /** An open circuit refused the call. */
  circuitRejected: { readonly circuit: string; readonly retryAfter: number };
  /** The bulkhead refused the call. */
  bulkheadRejected: { readonly maxConcurrent: number; readonly maxQueue: number };
  /** The adaptive bulkhead found another limit. */
  bulkheadAdapted: { readonly limit: number };
  /** The fallback answered in place of an error. */
  fellBack: { readonly error: unknown };
  /** Another attempt was started beside a slow one. */
  hedged: { readonly attempt: number };
  /** The store cannot be reached: caches run their functions, limiters do what `whenDown` says. Told once. */
  storeDown: { readonly store: string; readonly error: unknown };
  /** The store can be reached again, after so many seconds. */
  storeUp: { readonly store: string; readonly seconds: number };
  /** A function given as an option threw; the call went on without it. */
  callbackFailed: { readonly callback: string; readonly error: unknown };
}

/** The name of an event. */
export type EventName = keyof EventDetails;

/** An event as a listener gets it. */
export type PremierEvent<N extends EventName = EventName> = {
  [K in N]: {
    readonly type: K;
    /** The function: `Users.find`. */
    readonly name: string;
    /** Milliseconds since the epoch, by the Premier's clock. */
    readonly at: number;
  } & EventDetails[K];
}[N];

/** A function that hears events. What it throws or rejects is dropped. */
export type Listener<N extends EventName> = (event: PremierEvent<N>) => void;

/** Every event, in the order of the reference. */
export const eventNames: readonly EventName[] = [
  'cacheHit',
  'cacheMiss',
  'cacheStale',
  'cacheInvalidated',
  'cacheFailed',
  'throttled',
  'delayed',
  'retried',
  'retriesExhausted',
  'timedOut',
  'timed',
  'circuitOpened',
  'circuitHalfOpened',
  'circuitClosed',
  'circuitRejected',
  'bulkheadRejected',
  'bulkheadAdapted',
  'fellBack',
  'hedged',
  'storeDown',
  'storeUp',
  'callbackFailed',
];

/** Whose event it is: a call, or a name alone. */
interface Named {
  readonly name: string;
}

/** Counts every event, and tells those that somebody listens to. */
export class Events {
  readonly #counts: Record<EventName, number>;
  #hits = 0;
  #misses = 0;
  readonly #listeners: Partial<Record<EventName, Set<{ readonly listener: (event: never) => void }>>> = {};
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
    this.#counts = Object.fromEntries(eventNames.map((name) => [name, 0])) as Record<EventName, number>;
  }

  /** How often each event happened. */
  get counts(): Record<EventName, number> {
    const counts = this.#counts;
    return { ...counts, cacheHit: counts.cacheHit + this.#hits, cacheMiss: counts.cacheMiss + this.#misses };
  }

  on<N extends EventName>(name: N, listener: Listener<N>): () => void {
    const listeners = (this.#listeners[name] ??= new Set());
    // In an object of its own: one function may listen twice, and stop once.
    const registered = { listener };
    listeners.add(registered);
    return () => void listeners.delete(registered);
  }

  emit<N extends EventName>(type: N, whose: Named, detail: EventDetails[N]): void {
    this.#counts[type]++;
    const listeners = this.#listeners[type];
    if (listeners === undefined || listeners.size === 0) return;
    const event = { type, name: whose.name, at: this.#now(), ...detail };
    // Those who listen from now on hear the next one.
    for (const { listener } of Array.from(listeners)) guard(() => (listener as (event: unknown) => unknown)(event));
  }

  /** A hit, without building anything unless somebody listens: the commonest event of all. */
  hit(whose: Named, key: string): void {
    if (this.#listeners.cacheHit === undefined) this.#hits++;
    else this.emit('cacheHit', whose, { key });
  }

  /** The same for a miss. */
  miss(whose: Named, key: string): void {
    if (this.#listeners.cacheMiss === undefined) this.#misses++;
    else this.emit('cacheMiss', whose, { key });
  }
}

/** Runs a stranger's code for its effect: what it throws or rejects goes to `failed`, never to the call. */
export function guard(action: () => unknown, failed?: (error: unknown) => void): void {
  try {
    const result = action();
    if (result instanceof Promise) result.catch((error: unknown) => failed?.(error));
  } catch (error) {
    failed?.(error);
  }
}
