import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Asker } from '../http/nodeRequest.js';
import { after, checkAfter, type GoOn, NodePassage } from './after.js';
import { createGateway } from './create.js';
import type { CreateOptions } from './createOptions.js';
import type { NextInfo } from './fetchThrough.js';
import type { Gateway } from './gateway.js';
import { configOf, type GivenConfig } from './given.js';

/** What a gateway takes beside its configuration when it is a middleware: the rest of the app is its app. */
export type MiddlewareOptions = Omit<CreateOptions, 'app' | 'servers'>;

/** A gateway in the middle of an app: what comes after it is its app. Built at once; requests that come before it is ready wait. */
export class Middleware {
  readonly #opening: Promise<Gateway>;
  #gateway: Gateway | undefined;

  /** Throws `ConfigError` for a bad configuration, and `OptionsError` for features that would ask for the rest of the app twice. */
  constructor(given: GivenConfig, options: MiddlewareOptions = {}) {
    const config = configOf(given);
    checkAfter(config.resolved);
    this.#opening = createGateway(config, { ...options, app: after }).then((gateway) => (this.#gateway = gateway));
    // Whoever waits for it hears of it.
    this.#opening.catch(() => undefined);
  }

  /** The gateway, once it is built. */
  get gateway(): Promise<Gateway> {
    return this.#opening;
  }

  /**
   * Runs a request; `next` goes on with the rest of the app. `failed` hears why there is no gateway. `asker` is who asks, where the
   * framework knows.
   */
  handle(request: IncomingMessage, response: ServerResponse, next: GoOn, failed: (error: unknown) => void, asker?: Asker): void {
    const gateway = this.#gateway;
    if (gateway === undefined) this.#opening.then(() => this.handle(request, response, next, failed, asker), failed);
    else gateway.handle(request, response, new NodePassage(response, next), asker);
  }

  /** The same for a `Request`. */
  async fetch(request: Request, info: NextInfo): Promise<Response> {
    const gateway = this.#gateway ?? (await this.#opening);
    return gateway.fetch(request, info);
  }

  /** Has the server's WebSockets go through the gateway too, and closes with it. */
  async attach(server: Server): Promise<void> {
    (await this.#opening).attachUpgrades(server);
  }

  /** Takes over another configuration. It is refused as a whole when anything is wrong with it. */
  async reload(given?: GivenConfig): Promise<void> {
    const config = given === undefined ? undefined : configOf(given);
    if (config !== undefined) checkAfter(config.resolved);
    await (await this.#opening).reload(config);
  }

  async close(): Promise<void> {
    await (await this.#opening).close();
  }
}
