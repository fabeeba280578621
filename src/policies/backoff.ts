import { type Clock } from '../core/clock.js';
import { type Duration, toMs } from '../core/duration.js';
import { duration, either, fn, group, list, number, oneOf, withDefault } from '../core/options.js';

/** Waits that grow. */
export interface Backoff {
  /**
   * The first wait.
   * @default 1
   */
  base?: Duration;
  /**
   * How many times longer each wait is than the one before.
   * @default 2
   */
  factor?: number;
  /**
   * No wait is longer.
   * @default 30
   */
  max?: Duration;
  /**
   * How waits are scattered, so that clients do not come back all at once: `full` from 0 to the wait, `equal` from half of it,
   * `decorrelated` from `base` to three times the wait before (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
   * @default 'full'
   */
  jitter?: 'full' | 'equal' | 'decorrelated' | 'none';
}

/** How long to wait before another attempt. */
export type Wait = Duration | readonly Duration[] | ((attempt: number, error: unknown) => Duration) | Backoff;

const backoff = group({
  base: withDefault(duration(), 1000),
  factor: withDefault(number(1, 1000), 2),
  max: withDefault(duration(), 30_000),
  jitter: withDefault(oneOf('full', 'equal', 'decorrelated', 'none'), 'full' as const),
});

type ResolvedBackoff = typeof backoff extends { readonly default: infer T } ? NonNullable<T> : never;

/** The option `wait`. */
export const waitField = either(
  either(duration(), list(duration())),
  either(fn<(attempt: number, error: unknown) => Duration>('a function (attempt, error) => duration'), backoff),
);

type ResolvedWait = NonNullable<(typeof waitField)['default']>;

/** The wait in milliseconds before the attempt after `attempt` (from 0). `previous` is the wait before that one. */
export type WaitFor = (attempt: number, error: unknown, previous: number) => number;

/** Compiles the option. A function that throws, or returns no duration, ends the retries: the call fails with its own error. */
export function waiting(wait: ResolvedWait, random: () => number, policy: string): WaitFor {
  if (typeof wait === 'number') return () => wait;
  if (typeof wait === 'function') return (attempt, error) => toMs(wait(attempt, error), `${policy}: what "wait" returns`);
  if (Array.isArray(wait)) return (attempt) => wait[Math.min(attempt, wait.length - 1)] as number;
  return growing(wait as ResolvedBackoff, random);
}

function growing({ base, factor, max, jitter }: ResolvedBackoff, random: () => number): WaitFor {
  const full = (attempt: number): number => Math.min(max, base * factor ** attempt);
  switch (jitter) {
    case 'none':
      return full;
    case 'full':
      return (attempt) => random() * full(attempt);
    case 'equal':
      return (attempt) => (0.5 + random() / 2) * full(attempt);
    case 'decorrelated':
      return (_attempt, _error, previous) => Math.min(max, base + random() * (Math.max(base, previous) * 3 - base));
  }
}

/**
 * When an error says to come back, in milliseconds from now: `error.retryAfter` (seconds, text of seconds, HTTP date or `Date`), or the
 * `Retry-After` field of `error.response.headers` or `error.headers` (RFC 9110, 10.2.3). 0 when it does not say.
 */
export function retryAfterOf(error: unknown, clock: Clock): number {
  if (typeof error !== 'object' || error === null) return 0;
  const { retryAfter, headers, response } = error as { retryAfter?: unknown; headers?: unknown; response?: { headers?: unknown } };
  const said = retryAfter ?? field(response?.headers) ?? field(headers);
  if (typeof said === 'number') return said > 0 ? said * 1000 : 0;
  if (typeof said === 'string' && /^\s*\d+(\.\d+)?\s*$/.test(said)) return Number(said) * 1000;
  const instant = said instanceof Date ? said.getTime() : typeof said === 'string' ? Date.parse(said) : NaN;
  return Number.isNaN(instant) ? 0 : Math.max(0, instant - clock.now());
}

function field(headers: unknown): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined;
  if (headers instanceof Headers || headers instanceof Map) return headers.get('retry-after') ?? undefined;
  const plain = headers as Record<string, unknown>;
  return plain['retry-after'] ?? plain['Retry-After'];
}
