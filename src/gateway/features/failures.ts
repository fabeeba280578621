import { PremierError } from '../../core/errors.js';
import type { Behaviour } from '../../core/policy.js';
import { discard } from '../../http/body.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { Answered, Problem } from '../../http/problem.js';
import { isSlowUpload } from '../../http/slowUpload.js';
import { aroundExchange } from '../feature.js';

/**
 * Lets an upstream's 5xx travel as a thrown `Answered`, so that retry, circuit breaker and fallback see a failure. It stands inside all of
 * them; outside, the error is an answer again. `others` are further statuses that are tried again.
 */
export function throwFailures(others: ReadonlySet<unknown> = none): Behaviour {
  return aroundExchange((exchange, next, call) => next(call).then((answer) => passed(exchange, answer, others)));
}

const none: ReadonlySet<unknown> = new Set();

function passed(exchange: Exchange, answer: Answer, others: ReadonlySet<unknown>): Answer {
  if (answer.status < 500 && !others.has(answer.status)) return answer;
  (exchange.failures ??= []).push(answer);
  throw new Answered(answer);
}

/** What was thrown, as the answer that it holds; thrown again where it holds none. */
export function caughtAnswer(error: unknown): Answer {
  if (error instanceof Answered) return error.answer;
  throw error;
}

/** Lets go of every failure but the one that is answered with. */
export function discardFailures(exchange: Exchange, but?: Answer): void {
  if (exchange.failures === undefined) return;
  for (const answer of exchange.failures) if (answer !== but) discard(answer.body, superseded);
  exchange.failures = undefined;
}

const superseded = new Error('another answer took its place');

/** What a circuit breaker and a fallback count: an upstream's 5xx but 501, a timeout, and no answer at all. */
export function isFailure(error: unknown): boolean {
  if (error instanceof Answered) return error.answer.status >= 500 && error.answer.status !== 501;
  if (error instanceof Problem)
    return error.type === 'bad_gateway' || error.type === 'gateway_timeout' || error.type === 'service_unavailable';
  return error instanceof PremierError && error.code === 'PREMIER_TIMEOUT' && !isSlowUpload(error);
}
