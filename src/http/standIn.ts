import type { ServerResponse } from 'node:http';
import type { AppResponse } from './appResponse.js';

/** Not `cork` and `uncork`: a tick after the gateway has written, Node 26 calls them by itself. */
const methods = [
  'writeHead',
  'write',
  'end',
  'flushHeaders',
  'destroy',
  'setHeader',
  'setHeaders',
  'appendHeader',
  'getHeader',
  'getHeaders',
  'getHeaderNames',
  'getRawHeaderNames',
  'hasHeader',
  'removeHeader',
  'addTrailers',
] as const;
const values = ['statusCode', 'statusMessage', 'headersSent', 'writableEnded', 'writableNeedDrain'] as const;
const listening = ['on', 'addListener', 'once', 'prependListener', 'off', 'removeListener'] as const;

type Method = (...args: unknown[]) => unknown;

/** The last one for a response: several gateways may be in one app. */
const latest = new WeakMap<ServerResponse, StandIn>();

/**
 * Lets a response of the gateway's stand in for one that others hold already: what comes after a middleware writes to the response that it
 * has, and the gateway to `out`, which is the same response as it was before. Patches of earlier middlewares (compression, sessions) stay
 * in force for what the gateway writes; those of later ones are for what the app writes, and no longer there for the gateway.
 */
export class StandIn {
  /** The response for the gateway alone. */
  readonly out: ServerResponse;
  readonly #response: ServerResponse;
  /** How deep in a call of the gateway's own. */
  #depth = 0;
  /** Methods as they were when the response was given on. */
  readonly #before = new Map<string | symbol, Method>();
  /** That of a gateway further out. */
  readonly #outer: StandIn | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.#outer = latest.get(response);
    latest.set(response, this);
    this.out = new Proxy(response, {
      get: (target, name) => {
        const value: unknown = this.#before.get(name) ?? this.#asItWas(() => Reflect.get(target, name, target));
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => this.#asItWas(() => Reflect.apply(value, target, args) as unknown);
      },
    });
  }

  /** From here on `inner` gets what anybody but the gateway does. Fields that stand already are there to be read, and stay the outer response's. */
  for(inner: AppResponse): void {
    const response = this.#response;
    inner.inherit(response);
    // Whatever begins the answer does so by the response that all know: it may have been patched since.
    inner.begin = () => void response.writeHead(response.statusCode);
    for (const name of methods) {
      const other = Reflect.get(inner, name) as Method;
      this.#cover(name, (...args) => {
        const result = Reflect.apply(other, inner, args);
        return result === inner ? response : result;
      });
    }
    // Node's own way to begin an answer; compression and sessions know it.
    this.#cover('_implicitHeader', () => void (inner.headersSent || inner.begin()));
    for (const name of values) this.#reveal(inner, name);
    for (const name of listening) {
      const own = Reflect.get(response, name) as Method;
      const other = Reflect.get(inner, name) as Method;
      // Who writes waits for room in what it writes to.
      this.#cover(name, (...args) => {
        if (args[0] !== 'drain') return Reflect.apply(own, response, args);
        Reflect.apply(other, inner, args);
        return response;
      });
    }
  }

  /** Whether a gateway writes: this one, or one further out, for which this one is not there. */
  get #own(): boolean {
    return this.#depth > 0 || (this.#outer !== undefined && this.#outer.#own);
  }

  /** Puts a method in place of the response's for all but the gateway. */
  #cover(name: string, method: Method): void {
    const response = this.#response;
    const own = Reflect.get(response, name) as Method;
    this.#before.set(name, own);
    const value: Method = (...args) => Reflect.apply(this.#own ? own : method, response, args);
    Object.defineProperty(response, name, { value, configurable: true, writable: true });
  }

  /** A value that is the stand-in's for all but the gateway. */
  #reveal(inner: AppResponse, name: (typeof values)[number]): void {
    const response = this.#response;
    const kept: { value?: unknown } = Object.hasOwn(response, name) ? { value: Reflect.get(response, name) } : {};
    Object.defineProperty(response, name, {
      configurable: true,
      get: () => {
        if (!this.#own) return Reflect.get(inner, name) as unknown;
        return 'value' in kept ? kept.value : (Reflect.get(Object.getPrototypeOf(response) as object, name, response) as unknown);
      },
      set: (value: unknown) => {
        if (!this.#own) Reflect.set(inner, name, value);
        else kept.value = value;
      },
    });
  }

  #asItWas<T>(run: () => T): T {
    this.#depth++;
    try {
      return run();
    } finally {
      this.#depth--;
    }
  }
}
