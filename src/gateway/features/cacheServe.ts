import { isHad, withoutBody } from '../../http/caching/conditional.js';
import { sliceOf } from '../../http/caching/ranges.js';
import { marked, type Outcome, type Stored } from '../../http/caching/stored.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { type RawHeaders, setHeader } from '../../http/headers.js';
import { has } from './cacheRequest.js';

/** The answer to a request from a stored one: whole, a part of it, or 304 for a client that has it. */
export function served(stored: Stored, exchange: Exchange, traits: number, now: number, outcome: Outcome, status: string): Answer {
  exchange.cacheResult = outcome.toLowerCase();
  const { freshUntil, bornAt } = stored;
  const left = Math.floor((freshUntil - now) / 1000);
  const told = freshUntil === Infinity || freshUntil === 0 ? status : `${status}; ttl=${left}`;
  const age = String(Math.max(0, Math.floor((now - bornAt) / 1000)));
  const answer =
    stored.status === 200 && (traits & (has.condition | has.range)) !== 0 ? asked(stored, exchange, traits, now) : whole(stored, exchange);
  answer.headers.push('Age', age, 'X-Cache', outcome, 'Cache-Status', `premier; ${told}`);
  return answer;
}

function whole({ status, headers, body }: Stored, { method }: Exchange): Answer {
  return { status, headers: headers.slice(), body: method === 'HEAD' || body.length === 0 ? undefined : body };
}

function asked(stored: Stored, exchange: Exchange, traits: number, now: number): Answer {
  const { headers, body } = stored;
  if ((traits & has.condition) !== 0 && isHad(exchange.headers, headers, now))
    return { status: 304, headers: withoutBody(headers), body: undefined };
  const slice = (traits & has.range) !== 0 && exchange.method === 'GET' ? sliceOf(exchange.headers, headers, body.length) : 'all';
  if (slice === 'all') return whole(stored, exchange);
  if (slice === 'none') {
    return {
      status: 416,
      headers: [...withoutBody(headers), 'Content-Range', `bytes */${body.length}`, 'Content-Length', '0'],
      body: undefined,
    };
  }
  const part: RawHeaders = headers.slice();
  setHeader(part, 'Content-Length', String(slice.to - slice.from));
  part.push('Content-Range', `bytes ${slice.from}-${slice.to - 1}/${body.length}`);
  return { status: 206, headers: part, body: body.subarray(slice.from, slice.to) };
}

/** An answer that came from further on, with what the cache says about it. */
export function passedOn(answer: Answer, exchange: Exchange, outcome: 'MISS' | 'BYPASS', status: string): Answer {
  exchange.cacheResult = outcome.toLowerCase();
  return answer.handled === true || answer.tunnel !== undefined ? answer : marked(answer, outcome, status);
}
