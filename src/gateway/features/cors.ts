import { Refusal } from '../../core/policy.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { type RawHeaders, headerOf, joinedOf, tokensOf } from '../../http/headers.js';
import { Answered } from '../../http/problem.js';
import type { Features } from '../config/featureSchemas.js';
import { exchangeOf, type Feature } from '../feature.js';
import { Origins } from './origins.js';

type Options = NonNullable<Features['cors']>;

/** The method that a browser asks for in a CORS preflight; nothing where the request is none. Routes are found by it. */
export function preflightOf(exchange: Exchange): string | undefined {
  if (exchange.method !== 'OPTIONS' || headerOf(exchange.headers, 'origin') === undefined) return undefined;
  return headerOf(exchange.headers, 'access-control-request-method');
}

/** Which other origins' pages may call and read (Fetch standard, 3.3). The gateway's word is the only one: what an upstream says of it goes. */
export const cors: Feature<Options> = {
  name: 'cors',
  upgrades: false,
  create(options) {
    const grants = new Grants(options);
    return [
      {
        enter(call) {
          const exchange = exchangeOf(call);
          const origin = headerOf(exchange.headers, 'origin');
          if (origin === undefined) return undefined;
          if (preflightOf(exchange) !== undefined) return new Refusal(new Answered(grants.preflight(exchange, origin)));
          grants.allow(origin, exchange.reply);
          if (options.expose.length > 0) exchange.reply.push('access-control-expose-headers', options.expose.join(', '));
          return undefined;
        },
        success(value) {
          own(value as Answer);
          return undefined;
        },
        failure(error, _state, call) {
          if (error instanceof Answered) own(error.answer);
          else exchangeOf(call).reply.push('vary', 'Origin');
          return undefined;
        },
      },
    ];
  },
};

class Grants {
  readonly #origins: Origins;
  readonly #options: Options;

  constructor(options: Options) {
    this.#origins = new Origins(options.origins);
    this.#options = options;
  }

  /** Adds what lets a page of that origin read the answer; whether anything does. */
  allow(origin: string, headers: RawHeaders): boolean {
    if (this.#origins.lists(origin)) {
      headers.push('access-control-allow-origin', origin);
      if (this.#options.credentials) headers.push('access-control-allow-credentials', 'true');
      return true;
    }
    // With credentials, any page could read what its visitor may: they go to listed origins alone.
    if (this.#origins.any) headers.push('access-control-allow-origin', '*');
    return this.#origins.any;
  }

  preflight(exchange: Exchange, origin: string): Answer {
    const headers: RawHeaders = ['vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'];
    if (this.allow(origin, headers)) {
      const { methods, headers: fields, max_age } = this.#options;
      headers.push('access-control-allow-methods', methods.join(', '));
      const asked = joinedOf(exchange.headers, 'access-control-request-headers');
      if (fields.includes('*') && asked !== undefined) headers.push('access-control-allow-headers', tokensOf(asked).join(', '));
      else if (fields.length > 0) headers.push('access-control-allow-headers', fields.join(', '));
      headers.push('access-control-max-age', String(Math.floor(max_age / 1000)));
    }
    return { status: 204, headers, body: undefined };
  }
}

/** Takes out what the upstream says of origins, and tells caches that the answer depends on them. */
function own(answer: Answer): void {
  // One and the same object for all answers that an app writes by itself.
  if (answer.handled === true) return;
  const headers: RawHeaders = [];
  let varies = false;
  for (let i = 0; i < answer.headers.length; i += 2) {
    const name = answer.headers[i] as string;
    const value = answer.headers[i + 1] as string;
    if (name.length > 14 && name.slice(0, 15).toLowerCase() === 'access-control-') continue;
    if (name.length === 4 && name.toLowerCase() === 'vary' && /(?:^|[\s,])(?:origin|\*)(?:$|[\s,])/i.test(value)) varies = true;
    headers.push(name, value);
  }
  if (!varies) headers.push('vary', 'Origin');
  answer.headers = headers;
}
