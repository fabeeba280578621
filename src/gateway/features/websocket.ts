import type { Registry } from '../../core/policy.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { headerOf, headersOf } from '../../http/headers.js';
import { Problem } from '../../http/problem.js';
import type { Features } from '../config/featureSchemas.js';
import { exchangeOf, type Feature } from '../feature.js';
import { Origins, plainOrigin } from './origins.js';
import { holdTunnel } from '../websocket/tunnelOptions.js';

type Options = NonNullable<Features['websocket']>;

/** Which pages may open WebSockets, how many may be open, and what each of them is held to. Plain requests pass. */
export const websocket: Feature<Options> = {
  name: 'websocket',
  upgrades: true,
  create(options, { runtime, place }) {
    const origins = new Origins(options.origins);
    const seats = seatsOf(runtime.registry, place.site.method);
    const most = options.max_connections ?? Infinity;
    return [
      {
        run(call, next) {
          const exchange = exchangeOf(call);
          if (exchange.upgrade === undefined) return next(call);
          if (!admits(origins, exchange)) return Promise.reject(new Problem('forbidden', { message: 'This origin may not connect' }));
          if (seats.taken >= most) return Promise.reject(new Problem('service_unavailable', { message: 'Too many connections' }));
          holdTunnel(exchange, options);
          return new Seat(seats).during(exchange, next(call) as Promise<Answer>);
        },
      },
    ];
  },
};

/** Connections of a path, open or being opened: beyond reloads, in this process. */
interface Seats {
  taken: number;
}

function seatsOf(registry: Registry, name: string): Seats {
  return registry.get('websocket', name, () => ({ taken: 0 }));
}

/** One of them: taken before the upstream is asked, and given back when the client's connection is gone. */
class Seat {
  readonly #seats: Seats;
  #taken = true;

  constructor(seats: Seats) {
    this.#seats = seats;
    seats.taken++;
  }

  async during(exchange: Exchange, opening: Promise<Answer>): Promise<Answer> {
    try {
      const answer = await opening;
      const { socket } = exchange.origin;
      const open = answer.status === 101 || answer.handled === true;
      if (!open || socket === undefined || socket.closed) this.#leave();
      else socket.once('close', () => this.#leave());
      return answer;
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  #leave(): void {
    if (this.#taken) this.#seats.taken--;
    this.#taken = false;
  }
}

/**
 * Browsers send cookies with a WebSocket to any host, and let any page open one: the origin is all that tells (RFC 6455 10.2). Where none is
 * listed, a page may use a client's credentials on its own host alone.
 */
function admits(origins: Origins, { headers, host }: Exchange): boolean {
  const given = headersOf(headers, 'origin');
  // Not a browser, which could write whatever it likes.
  if (given.length === 0 || origins.any) return true;
  if (given.length > 1) return false;
  const origin = given[0] as string;
  if (!origins.none) return origins.lists(origin);
  const trusted = headerOf(headers, 'cookie') !== undefined || headerOf(headers, 'authorization') !== undefined;
  return !trusted || isSameHost(plainOrigin(origin), host);
}

/** By the scheme of the page, as TLS may end in front of the gateway. */
function isSameHost(origin: string, host: string): boolean {
  const [scheme, authority] = origin.split('://', 2);
  return authority !== undefined && authority !== '' && plainOrigin(`${scheme}://${host}`) === origin;
}
