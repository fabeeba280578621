import type { Exchange } from './exchange.js';
import { isReplaced, type RawHeaders } from './headers.js';

/** Who the client is says the gateway alone: an app must be able to believe these fields. */
const claims: RawHeaders = ['x-consumer', '', 'x-consumer-roles', '', 'x-consumer-scopes', ''];

/** Whether a field is the gateway's to say, so that what the client says there counts for nothing. */
export function isTold(name: string, assert: RawHeaders): boolean {
  return isReplaced(name, assert) || isReplaced(name, claims);
}

/** The fields of a request as an app sees them: with what the gateway says about it in place of what the client said. */
export function fieldsForApp({ headers, assert }: Exchange): RawHeaders {
  const fields: RawHeaders = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!isTold(name, assert)) fields.push(name, headers[i + 1] as string);
  }
  for (let i = 0; i < assert.length; i += 2) if (assert[i + 1] !== '') fields.push(assert[i] as string, assert[i + 1] as string);
  return fields;
}
