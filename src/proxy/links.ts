import type { EventEmitter } from 'node:events';
import type { Dispatcher } from 'undici';
import type { Clock } from '../core/clock.js';
import { Client } from './undici.js';

/** A request that wants a connection. */
export interface Passenger extends Dispatcher.DispatchHandler {
  /** The connection that it is given, before anything is sent. */
  link: Link | undefined;
  /** Whether nobody waits for it any more. */
  readonly over: boolean;
  /** undici would not have it as it is: nothing was queued, so no `drain` will come. */
  readonly refused: boolean;
  readonly options: Dispatcher.DispatchOptions;
  /** No connection will come: the server is closed. */
  onError(error: Error): void;
}

/** One connection to a server, made when it is first needed and again when it broke. */
export class Link {
  readonly client: Client;
  /** What was sent since it was made. */
  sent = 0;
  /** When it was made, by the monotonic clock. */
  since = 0;
  /** Whether a request is on it. */
  busy = false;

  constructor(client: Client) {
    this.client = client;
  }
}

/** What connections to a server are made with. */
export interface LinksOptions extends Pick<Client.Options, 'connect'> {
  readonly origin: string;
  readonly clock: Clock;
  readonly connections: number;
  /** How long an idle connection is kept, in milliseconds. */
  readonly keepAlive: number;
}

/** A connection is given up after this long, so that a name which has come to mean another address is noticed. */
const longestLife = 30_000;

/** A server that begins no answer at all is not waited for longer than this, where no timeout is configured. */
export const longestSilence: number = 300_000;

/**
 * The connections to one server. The one used last is used next: it is the least likely to have been closed at the other end. What undici's
 * `Pool` lacks: it tells whether a connection is fresh, bounds its age without piling up callbacks, and drops who waits no more.
 */
export class Links {
  readonly #options: LinksOptions;
  readonly #idle: Link[] = [];
  readonly #all = new Set<Link>();
  #waiting: Passenger[] = [];
  #retired = false;
  #destroyed: Error | undefined;

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Sends a request, now or as soon as there is a connection; on a new one if it must be `fresh`. */
  send(passenger: Passenger, fresh: boolean): void {
    if (this.#destroyed !== undefined) {
      passenger.onError(this.#destroyed);
      return;
    }
    if (fresh && this.#all.size >= this.#options.connections) this.#drop(this.#idle.shift());
    const idle = fresh ? undefined : this.#idle.pop();
    if (idle !== undefined) this.#ride(idle, passenger);
    else if (this.#all.size < this.#options.connections) this.#ride(this.#open(), passenger);
    else this.#waiting.push(passenger);
  }

  /** Keeps no connection beyond its request any more. */
  retire(): void {
    this.#retired = true;
    while (this.#idle.length > 0) this.#drop(this.#idle.pop());
  }

  /** Ends everything, and whatever comes later. */
  destroy(reason: Error): void {
    this.#retired = true;
    this.#destroyed = reason;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const passenger of waiting) if (!passenger.over) passenger.onError(reason);
    for (const link of this.#all) link.client.destroy(reason, nothing);
    this.#all.clear();
    this.#idle.length = 0;
  }

  #open(): Link {
    const { origin, clock, connect, keepAlive } = this.#options;
    const span = Math.max(1, keepAlive);
    const client = new Client(origin, {
      ...(connect && { connect }),
      pipelining: 1,
      keepAliveTimeout: span,
      keepAliveMaxTimeout: span,
      headersTimeout: longestSilence,
      bodyTimeout: 0,
      maxHeaderSize: 65_536,
    });
    const link = new Link(client);
    client.on('connect', () => {
      link.sent = 0;
      link.since = clock.monotonic();
    });
    client.on('drain', () => this.#free(link));
    (client as EventEmitter).on('error', nothing);
    this.#all.add(link);
    return link;
  }

  #ride(link: Link, passenger: Passenger): void {
    link.busy = true;
    passenger.link = link;
    if (link.client.dispatch(passenger.options, passenger) || passenger.refused) this.#free(link);
  }

  /** A connection has nothing to do. */
  #free(link: Link): void {
    if (!link.busy) return;
    link.busy = false;
    if (this.#destroyed !== undefined) return;
    const old = this.#retired || this.#options.clock.monotonic() - link.since > longestLife;
    let next = this.#waiting.shift();
    while (next?.over === true) next = this.#waiting.shift();
    if (old) this.#drop(link);
    if (next !== undefined) this.#ride(old ? this.#open() : link, next);
    else if (!old) this.#idle.push(link);
  }

  #drop(link: Link | undefined): void {
    if (link === undefined) return;
    this.#all.delete(link);
    link.client.close(nothing);
  }
}

function nothing(): void {
  // undici tells by the handler what matters
}
