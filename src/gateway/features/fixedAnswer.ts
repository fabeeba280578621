import { neverStored } from '../../http/caching/unstored.js';
import type { Answer } from '../../http/exchange.js';

/** An answer as the configuration spells it: a text as it is, everything else as JSON. */
export function fixedAnswer(given: {
  readonly status: number;
  readonly body?: unknown;
  readonly headers: Readonly<Record<string, string>>;
}): Answer {
  const { status, body, headers } = given;
  const bytes = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const typed = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8';
  return neverStored({
    status,
    headers: [
      ...Object.entries(headers).flat(),
      ...(bytes === undefined || typed ? [] : ['content-type', type]),
      'content-length',
      String(bytes?.length ?? 0),
    ],
    body: bytes,
  });
}
