import type { Exchange } from '../http/exchange.js';
import { isNamed } from '../http/headers.js';
import { randomHex } from './randomHex.js';

const correlationId = /^[A-Za-z0-9._-]{1,128}$/;
const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;
const t = 0x74;
const x = 0x78;

/** Whether a text is a `traceparent` (W3C Trace Context, section 3.2): of version 00 to the letter, of later ones as far as it is known. */
export function isTraceparent(given: string): boolean {
  return traceparent.test(given) && (given.length === 55 || !given.startsWith('00'));
}

/** Gives an exchange its correlation id and its place in a trace: what the client says where that is valid, new ones otherwise. */
export function correlate(exchange: Exchange): void {
  const { headers, assert } = exchange;
  let id: string | undefined;
  let parent: string | undefined;
  let parents = 0;
  let hasState = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const first = name.charCodeAt(0) | 0x20;
    if (first === x) {
      if (id === undefined && isNamed(name, 'x-correlation-id')) id = headers[i + 1];
    } else if (first === t) {
      if (isNamed(name, 'traceparent')) {
        parent = headers[i + 1];
        parents++;
      } else if (isNamed(name, 'tracestate')) hasState = true;
    }
  }
  if (id === undefined || !correlationId.test(id)) id = randomHex(32);
  exchange.correlationId = id;
  exchange.reply.push('X-Correlation-ID', id);
  const continued = parents === 1 && isTraceparent(parent as string);
  const trace = continued ? continuedFrom(parent as string) : begun();
  exchange.traceparent = trace;
  exchange.reply.push('traceparent', trace);
  assert.push('X-Correlation-ID', id, 'traceparent', trace);
  // A state without its parent says nothing, and would be taken for ours (section 3.3).
  if (hasState && !continued) assert.push('tracestate', '');
}

/** The same trace with a span of ours. Flags that are not known yet must not be passed on (section 3.2.2.5). */
function continuedFrom(parent: string): string {
  const flags = parent.charCodeAt(53) === 0x30 && parent.charCodeAt(54) <= 0x33 ? parent.slice(53, 55) : known(parent.slice(53, 55));
  return `00-${parent.slice(3, 35)}-${randomHex(16)}-${flags}`;
}

function known(flags: string): string {
  return `0${Number.parseInt(flags, 16) & 3}`;
}

/** A new trace. It is marked as sampled, or every upstream whose sampler follows its parent would stop to trace. */
function begun(): string {
  return `00-${randomHex(32)}-${randomHex(16)}-01`;
}
