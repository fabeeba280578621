import { createHash } from 'node:crypto';
import { headersOf, joinedOf, type RawHeaders, tokensOf } from '../headers.js';

/** Stands among the fields of `Vary` for who asks. No field can have this name. */
export const whoAsks = ':who';

/** The request fields that an answer depends on, in lower case and in order; nothing where no other request is like this one (`*`). */
export function variesBy(headers: RawHeaders, more: readonly string[]): readonly string[] | undefined {
  const fields = new Set(more);
  for (const line of headersOf(headers, 'vary')) for (const field of tokensOf(line)) fields.add(field);
  return fields.has('*') ? undefined : [...fields].toSorted();
}

/** Fields whose members have no order and no case. */
const unordered = new Set(['accept-language', 'accept-encoding', 'accept-charset']);

/** What a request says in those fields, as one text: two requests with the same may have the same answer (RFC 9111 4.1). */
export function variantOf(fields: readonly string[], headers: RawHeaders, who: () => string): string {
  let text = '';
  let secret = false;
  for (const field of fields) {
    secret ||= field === whoAsks || field === 'cookie' || field === 'authorization';
    const said = field === whoAsks ? who() : normalised(field, joinedOf(headers, field));
    text += said === undefined ? '-' : `${said.length}=${said}`;
  }
  return !secret && text.length <= longestPlain ? text : createHash('sha256').update(text).digest('base64url');
}

/** What is longer, or a secret, is not written into keys. */
const longestPlain = 80;

function normalised(field: string, said: string | undefined): string | undefined {
  if (said === undefined) return undefined;
  if (unordered.has(field)) return tokensOf(said.replaceAll(/\s+/g, '')).toSorted().join(',');
  return said.replaceAll(/[ \t]*,[ \t]*/g, ',').trim();
}
