import { RejectedError } from '../../core/errors.js';
import type { Behaviour, Place, Runtime } from '../../core/policy.js';
import { retryAfterOf } from '../../policies/backoff.js';
import { retry } from '../../policies/retry.js';
import type { RetryRules } from './clientOptions.js';
import { failureOf } from './failures.js';
import { type Transport, type Trip, tripOf, Unwell } from './outgoing.js';

/** Tries again what may be sent twice. The reply of an attempt is let go when another one has taken its place. */
export function retrying<Reply>(rules: RetryRules, transport: Transport<Reply>, runtime: Runtime, place: Place): Behaviour[] {
  const { methods, statuses, policy } = rules;
  /** Failures that may be tried again. Kept beside them, as a policy's `handle` sees the error alone. */
  const again = new WeakSet<object>();
  const mayRepeat = (trip: Trip, error: unknown): boolean => {
    const failure = failureOf(error);
    if (failure === undefined || (typeof failure === 'number' && !statuses.has(failure))) return false;
    return trip.replayable && isRepeatable(trip, methods) && isInTime(trip, error);
  };
  /** Who is told to wait longer than there is time gets the answer that says so, not a timeout. */
  const isInTime = (trip: Trip, error: unknown): boolean => {
    if (!(error instanceof Unwell)) return true;
    return retryAfterOf(error, runtime.clock) <= trip.due - runtime.clock.monotonic();
  };
  const supersede = (trip: Trip, by: unknown): void => {
    const { last } = trip;
    trip.last = by;
    if (last instanceof Unwell && last !== by) transport.discard(last.reply as Reply);
  };
  const refused: Behaviour = {
    failure(error, _state, call) {
      const { last } = tripOf(call);
      // A refusal says that nothing was sent, which is not true any more: what was answered is the truth.
      if (error instanceof RejectedError && last !== undefined) throw last;
      return undefined;
    },
  };
  const judge: Behaviour = {
    success(_reply, _state, call) {
      supersede(tripOf(call), undefined);
      return undefined;
    },
    failure(error, _state, call) {
      if (error instanceof RejectedError) return undefined;
      const trip = tripOf(call);
      supersede(trip, error);
      if (mayRepeat(trip, error)) again.add(error as object);
      return undefined;
    },
  };
  const parsed = retry.options.parse({ ...policy, handle: (error) => again.has(error as object) });
  return [refused, retry.create(parsed, runtime, place) as Behaviour, judge];
}

/** Whether a request may be sent twice: its method says so (RFC 9110 9.2.2), or a key by which the server knows it again. */
export function isRepeatable(trip: Trip, methods: ReadonlySet<string>): boolean {
  return methods.has(trip.method) || trip.header('idempotency-key') !== undefined;
}
