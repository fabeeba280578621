import type { Clock } from '../../core/clock.js';
import type { Exchange } from '../../http/exchange.js';
import type { LimitRule, Ruling } from '../../policies/limit.js';
import type { Verdict } from '../../core/provider.js';

/** The spans whose limits have headers of their own. */
const spans: ReadonlyMap<number, string> = new Map([
  [60_000, 'Minute'],
  [3_600_000, 'Hour'],
]);

/**
 * Tells the caller how much is left: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), and the `X-RateLimit-*` of old,
 * whose reset is an instant in seconds. Of several limits the binding one is told, and those per minute and per hour also under names of their own.
 * Of several gateways in one app the innermost speaks: it is the one that may have refused.
 */
export function limitHeaders(rules: readonly LimitRule[], several: boolean, clock: Clock): (exchange: Exchange, ruling: Ruling) => void {
  const nameOf = (rule: LimitRule, i: number): string =>
    spans.get(rule.duration)?.toLowerCase() ?? (rules.length === 1 ? 'default' : `limit${i + 1}`);
  const policy = rules.map((rule, i) => `"${nameOf(rule, i)}";q=${rule.quota};w=${Math.ceil(rule.duration / 1000)}`).join(', ');
  const names = rules.map(nameOf);
  const suffixes = !several ? [] : rules.map((rule) => spans.get(rule.duration));
  return ({ reply, outer }, { verdict, keyed, all }) => {
    for (let other = outer; other !== undefined; other = other.outer) silence(other.reply);
    const binding = all === undefined ? 0 : all.findIndex((one, i) => rules[i] === keyed.rule || one === verdict);
    const name = names[binding < 0 ? 0 : binding] as string;
    const wait = resetOf(verdict);
    reply.push('RateLimit-Policy', policy, 'RateLimit', `"${name}";r=${verdict.remaining};t=${wait}`);
    push(reply, '', verdict, clock);
    suffixes.forEach((suffix, i) => {
      if (suffix !== undefined) push(reply, `-${suffix}`, unspent(all?.[i] ?? verdict, verdict), clock);
    });
  };
}

function silence(reply: string[]): void {
  for (let i = reply.length - 2; i >= 0; i -= 2) if (/^(x-)?ratelimit/i.test(reply[i] as string)) reply.splice(i, 2);
}

/** Limits are spent all or none: what one of them would have given for a refused request is still there. */
function unspent(one: Verdict, binding: Verdict): Verdict {
  return one.allowed && !binding.allowed ? { ...one, remaining: one.remaining + 1 } : one;
}

function push(reply: string[], suffix: string, verdict: Verdict, clock: Clock): void {
  reply.push(
    `X-RateLimit-Limit${suffix}`,
    String(verdict.limit),
    `X-RateLimit-Remaining${suffix}`,
    String(verdict.remaining),
    `X-RateLimit-Reset${suffix}`,
    String(Math.ceil(clock.now() / 1000 + resetOf(verdict))),
  );
}

/** Seconds until more is admitted, or until all of it is. */
function resetOf({ allowed, retryAfter, resetAfter }: Verdict): number {
  return Math.ceil((allowed || retryAfter === Infinity ? resetAfter : retryAfter) / 1000);
}
