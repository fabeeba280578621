import type { Call } from '../../core/call.js';
import type { Clock } from '../../core/clock.js';
import { timedOut } from '../../core/errors.js';
import type { Fetch, FetchTrip } from './fetchTrip.js';

/** Calls `fetch` once. Whatever ends the call ends the request, and the caller's own signal ends the body too. */
export async function attempt(fetch: Fetch, trip: FetchTrip, call: Call, clock: Clock, bodySpan: number | undefined): Promise<Response> {
  const controller = new AbortController();
  const forget = call.onAbort((reason) => controller.abort(reason));
  const unfollow = follow(trip.signal, controller);
  let response: Response;
  try {
    response = await fetch(...trip.attempt(controller.signal));
  } catch (error) {
    unfollow();
    throw call.aborted ? call.reason : error;
  } finally {
    forget();
  }
  if (response.body === null || call.aborted) unfollow();
  else onceGone(response.body, bodySpan === undefined ? unfollow : withDeadline(controller, clock, call.name, bodySpan, unfollow));
  return response;
}

function follow(signal: AbortSignal | undefined, controller: AbortController): () => void {
  if (signal === undefined) return () => undefined;
  const followers = followersOf.get(signal) ?? new Followers(signal);
  followersOf.set(signal, followers);
  return followers.add(controller);
}

/** All requests on one signal have one listener: many may share it for as long as a process lives. */
class Followers {
  readonly #signal: AbortSignal;
  readonly #controllers = new Set<AbortController>();
  readonly #abort = (): void => {
    for (const controller of this.#controllers) controller.abort(this.#signal.reason);
    this.#controllers.clear();
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** What comes back lets go of it. */
  add(controller: AbortController): () => void {
    if (this.#controllers.size === 0) this.#signal.addEventListener('abort', this.#abort, { once: true });
    this.#controllers.add(controller);
    return () => {
      if (this.#controllers.delete(controller) && this.#controllers.size === 0) this.#signal.removeEventListener('abort', this.#abort);
    };
  }
}

const followersOf = new WeakMap<AbortSignal, Followers>();

/** Aborts what is left of the body after a time. The timer does not keep the process alive: a body that has ended does not say so. */
function withDeadline(controller: AbortController, clock: Clock, name: string, ms: number, last: () => void): () => void {
  const timer = clock.setTimer(() => controller.abort(timedOut(name, ms)), ms);
  timer.unref();
  return () => {
    timer.clear();
    last();
  };
}

/**
 * A body of `fetch` tells nobody that it has ended, but nobody can read it either once it is collected. Until then the caller's signal has a
 * listener for it.
 */
const ends = new FinalizationRegistry<() => void>((end) => end());

function onceGone(body: object, end: () => void): void {
  ends.register(body, end);
}

/** Lets go of a response that nobody will read: its connection is free again. */
export function discardResponse({ body, bodyUsed }: Response): void {
  // Cancelling what somebody reads rejects; what has failed already does too.
  if (body !== null && !bodyUsed && !body.locked) body.cancel().catch(() => undefined);
}
