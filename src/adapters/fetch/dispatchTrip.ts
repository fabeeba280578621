import type { Dispatcher } from 'undici';
import type { Trip } from './outgoing.js';
import type { HeldReply } from './heldReply.js';

type Raw = Exclude<Dispatcher.DispatchController['rawHeaders'], undefined>;

/** A request of undici on its way through the policies, and what its handler steers it by. */
export class DispatchTrip implements Trip, Dispatcher.DispatchController {
  readonly options: Dispatcher.DispatchOptions;
  readonly method: string;
  readonly origin: string;
  readonly host: string;
  readonly handler: Dispatcher.DispatchHandler;
  /** How long the body may take, in milliseconds. */
  readonly bodySpan: number | undefined;
  due = Infinity;
  last: unknown = undefined;
  readonly #address: URL;
  readonly #abort = new AbortController();
  #reply: HeldReply | undefined;
  #paused = false;

  constructor(options: Dispatcher.DispatchOptions, address: URL, handler: Dispatcher.DispatchHandler, bodySpan: number | undefined) {
    this.options = options;
    this.method = options.method;
    this.origin = address.origin;
    this.host = address.host;
    this.handler = handler;
    this.bodySpan = bodySpan;
    this.#address = address;
  }

  get url(): string {
    return this.#address.href;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  header(name: string): string | undefined {
    for (const [field, given] of fieldsOf(this.options.headers)) {
      if (String(field).toLowerCase() !== name || given === undefined) continue;
      return Array.isArray(given) ? given.join(', ') : String(given);
    }
    return undefined;
  }

  /** A stream, as `fetch` makes one of every body, is sent once. */
  get replayable(): boolean {
    const { body } = this.options;
    return body === undefined || body === null || typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData;
  }

  /** The handler is told that its request begins, once. */
  begin(): void {
    this.handler.onRequestStart?.(this, {});
  }

  /** The reply is the handler's now. One that throws gets the rest as an error, as undici does it. */
  deliver(reply: HeldReply): void {
    if (this.aborted) {
      reply.discard();
      return this.fail(this.reason);
    }
    this.#reply = reply;
    try {
      reply.deliver();
    } catch (error) {
      reply.controller?.abort(error as Error);
    }
  }

  fail(error: unknown): void {
    this.handler.onResponseError?.(this, error instanceof Error ? error : new Error('the request was aborted', { cause: error }));
  }

  get aborted(): boolean {
    return this.#abort.signal.aborted;
  }

  get reason(): Error | null {
    return this.aborted ? (this.#abort.signal.reason as Error) : null;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get rawHeaders(): Raw {
    return this.#reply?.controller?.rawHeaders ?? null;
  }

  get rawTrailers(): Raw {
    return this.#reply?.controller?.rawTrailers ?? null;
  }

  abort(reason: Error): void {
    this.#abort.abort(reason);
    this.#reply?.controller?.abort(reason);
  }

  pause(): void {
    this.#paused = true;
    this.#reply?.controller?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#reply?.resume();
  }
}

/** Fields as undici takes them: name, value, name, value; pairs; or an object. */
function fieldsOf(headers: Dispatcher.DispatchOptions['headers']): Iterable<readonly [unknown, unknown]> {
  if (headers === undefined || headers === null) return [];
  if (Array.isArray(headers)) {
    const flat: readonly unknown[] = headers;
    return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]] as const] : []));
  }
  return Symbol.iterator in headers ? (headers as Iterable<readonly [string, unknown]>) : Object.entries(headers);
}
