import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { keepOrdinary } from './ordinary.js';

/** A listener of a server's `upgrade` event. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

const covered = [
  'on',
  'addListener',
  'once',
  'prependListener',
  'prependOnceListener',
  'off',
  'removeListener',
  'removeAllListeners',
] as const;

const apps = new WeakMap<IncomingMessage, AppUpgrades>();

/** The upgrade listeners of an app, which a gateway has put itself in front of. */
export class AppUpgrades {
  readonly #server: Server;
  readonly #app = new EventEmitter();
  readonly #before: ReadonlyMap<string, PropertyDescriptor | undefined>;
  #restore: () => void = () => undefined;
  #own: UpgradeListener | undefined;

  /**
   * Takes what listens now, and whatever is added or removed later: `new WebSocketServer({ server })` may come after the gateway. The server's
   * `listenerCount` stays that of the real listeners, by which Node decides whether a request is an upgrade.
   */
  constructor(server: Server) {
    this.#server = server;
    this.#app.setMaxListeners(0);
    for (const listener of server.rawListeners('upgrade')) this.#app.on('upgrade', listener as UpgradeListener);
    server.removeAllListeners('upgrade');
    this.#before = new Map(covered.map((name) => [name, Object.getOwnPropertyDescriptor(server, name)]));
    for (const name of covered) this.#cover(name);
  }

  /** Whether anybody would answer. */
  get listening(): boolean {
    return this.#app.listenerCount('upgrade') > 0;
  }

  /** Lets `own` have every upgrade from now on, and nobody else. */
  listen(own: UpgradeListener): void {
    this.#own = (request, socket, head) => {
      apps.set(request, this);
      own(request, socket, head);
    };
    this.#restore = keepOrdinary(this.#server);
    EventEmitter.prototype.on.call(this.#server, 'upgrade', this.#own);
  }

  /** Hands an upgrade to the app. */
  emit(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#app.emit('upgrade', request, socket, head);
  }

  /** Gives the server back as it was, with the app's listeners. */
  release(): void {
    if (this.#own !== undefined) EventEmitter.prototype.off.call(this.#server, 'upgrade', this.#own);
    this.#own = undefined;
    this.#restore();
    for (const [name, before] of this.#before) {
      if (before === undefined) Reflect.deleteProperty(this.#server, name);
      else Object.defineProperty(this.#server, name, before);
    }
    for (const listener of this.#app.rawListeners('upgrade')) this.#server.on('upgrade', listener as UpgradeListener);
    this.#app.removeAllListeners();
  }

  #cover(name: (typeof covered)[number]): void {
    const [own, ofApp] = [this.#server[name], this.#app[name]];
    const covering = (...given: [event?: string | symbol, ...rest: UpgradeListener[]]): unknown => {
      if (given[0] !== 'upgrade') return Reflect.apply(own, this.#server, given);
      Reflect.apply(ofApp, this.#app, given);
      return this.#server;
    };
    Object.defineProperty(this.#server, name, { value: covering, configurable: true, writable: true });
  }
}

/** Puts a gateway between a server and its upgrade listeners. */
export function takeOver(server: Server): AppUpgrades {
  return new AppUpgrades(server);
}

/** The upgrade listeners behind the gateway, on the server that a request came to. */
export function appUpgradesOf(request: IncomingMessage): AppUpgrades | undefined {
  return apps.get(request);
}
