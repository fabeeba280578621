import { PremierError, TimeoutError } from '../../core/errors.js';
import { Unwell } from './outgoing.js';

/** What an attempt came to: a status, no answer at all, an answer too late; nothing where the server is not to blame. */
export function failureOf(error: unknown): number | 'network' | 'timeout' | undefined {
  if (error instanceof Unwell) return error.status;
  if (error instanceof TimeoutError) return 'timeout';
  if (!(error instanceof Error) || error instanceof PremierError || error.name === 'AbortError') return undefined;
  return isMistake(error) ? undefined : 'network';
}

/** What a circuit breaker counts. A server that does not know a method (501) is well. */
export function isFailure(error: unknown): boolean {
  const failure = failureOf(error);
  return typeof failure === 'number' ? failure >= 500 && failure !== 501 : failure !== undefined;
}

/** Codes of undici for what no server has said or left out. */
const own = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED', 'UND_ERR_ABORTED']);

/**
 * Whether an error is about the request itself: it would fail in the same way again. `fetch` throws a `TypeError` for this as for a broken
 * connection. Node names the latter 'fetch failed', and gives it a cause with a code; but not where a redirect is refused, say.
 */
function isMistake(error: Error): boolean {
  const code = codeOf(error) ?? codeOf(error.cause);
  if (code !== undefined) return own.has(code);
  if (!(error instanceof TypeError)) return false;
  // Deno gives 'fetch failed' a cause without a code.
  const { message } = error.cause instanceof Error ? error.cause : error;
  return !/fetch failed|failed to fetch|network|sending request|load failed|terminated/i.test(message);
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | undefined | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
