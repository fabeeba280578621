import type { Behaviour } from '../../core/policy.js';
import { TimeoutError } from '../../core/errors.js';
import type { Exchange } from '../../http/exchange.js';
import { headerOf } from '../../http/headers.js';
import { Answered, Problem } from '../../http/problem.js';
import { retry as policy } from '../../policies/retry.js';
import { retryAfterOf } from '../../policies/backoff.js';
import type { Features } from '../config/featureSchemas.js';
import { aroundExchange, exchangeOf, type Feature, type FeatureContext } from '../feature.js';
import { failureKind } from '../../proxy/failureKind.js';
import { bufferBody } from './bufferBody.js';
import { discardFailures } from './failures.js';
import { isRepeatable, isReplayable } from './idempotent.js';

type Options = NonNullable<Features['retry']>;

/**
 * Tries again what may be sent twice: idempotent methods, and requests with an `Idempotency-Key`, whose body is short. A `Retry-After` that
 * reaches beyond the timeout hands the answer on at once.
 */
export const retry: Feature<Options> = {
  name: 'retry',
  upgrades: true,
  create(options, context) {
    const methods = new Set(options.methods);
    const kinds = new Set<unknown>(options.on);
    /** Errors that may be tried again. Kept beside them, as a policy's `handle` sees the error alone. */
    const again = new WeakSet<object>();
    const buffer = aroundExchange((exchange, next, call) =>
      isReplayable(exchange) || !isRepeatable(exchange, methods) ? next(call) : bufferBody(exchange).then(() => next(call)),
    );
    const around = policy.create(
      policy.options.parse({
        maxAttempts: options.max_attempts,
        wait: inSeconds(options.wait),
        budget: options.budget,
        handle: (error) => again.has(error as object),
        onFail: (...args) => forget(args[0] as Exchange),
      }),
      context.runtime,
      context.place,
    ) as Behaviour;
    const judge: Behaviour = {
      failure(error, _state, call) {
        const exchange = exchangeOf(call);
        const repeats = isRepeatable(exchange, methods) && isReplayable(exchange);
        if (repeats && kinds.has(kindOf(error)) && isInTime(error, exchange, context)) again.add(error as object);
        return undefined;
      },
    };
    return [buffer, around, judge];
  },
};

function forget(exchange: Exchange): void {
  exchange.retries++;
  discardFailures(exchange);
}

/** How `on` calls a failure. */
function kindOf(error: unknown): unknown {
  if (error instanceof Answered) return error.answer.status;
  if (error instanceof TimeoutError) return 'timeout';
  return failureKind(error) ?? (error instanceof Problem ? error.status : undefined);
}

/** Whether the upstream may be asked again before the client is told that it took too long. */
function isInTime(error: unknown, exchange: Exchange, { runtime }: FeatureContext): boolean {
  if (!(error instanceof Answered)) return true;
  const said = headerOf(error.answer.headers, 'retry-after');
  if (said === undefined) return true;
  const wait = retryAfterOf({ retryAfter: said }, runtime.clock);
  const left = exchange.idle === 0 ? longestWait : exchange.started + exchange.idle - runtime.clock.monotonic();
  if (wait > Math.min(left, longestWait)) return false;
  Object.assign(error, { retryAfter: wait / 1000 });
  return true;
}

/** Without a timeout, a client is not kept waiting longer than this for a `Retry-After`. */
const longestWait = 30_000;

function inSeconds(
  wait: Options['wait'],
): number | number[] | { base: number; factor: number; max: number; jitter: 'none' | 'full' | 'equal' | 'decorrelated' } {
  if (typeof wait === 'number') return wait / 1000;
  if (Array.isArray(wait)) return wait.map((ms) => ms / 1000);
  return { ...wait, base: wait.base / 1000, max: wait.max / 1000 };
}
