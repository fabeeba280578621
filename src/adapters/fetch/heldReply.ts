import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Call } from '../../core/call.js';
import type { Clock, Timer } from '../../core/clock.js';
import { timedOut } from '../../core/errors.js';

type Controller = Dispatcher.DispatchController;

/** Whom a reply is for, and by what its handler steers it. */
interface Recipient extends Controller {
  readonly handler: Dispatcher.DispatchHandler;
  /** How long the body may take, in milliseconds. */
  readonly bodySpan: number | undefined;
}

/** A reply that is not left to drain, but broken off: nobody waits for the rest of it. */
const longestDrained = 131_072;

/** How much of a body is taken before it is somebody's. */
const mostAhead = 65_536;

const superseded = new Error('another reply took its place');

/** The reply to one attempt. Its head decides what is done; its body waits until it is somebody's. */
export class HeldReply implements Dispatcher.DispatchHandler {
  status = 0;
  headers: IncomingHttpHeaders = {};
  controller: Controller | undefined;
  readonly #trip: Recipient;
  readonly #call: Call;
  readonly #clock: Clock;
  readonly #resolve: (reply: HeldReply) => void;
  readonly #reject: (error: unknown) => void;
  readonly #forget: () => void;
  #message: string | undefined;
  #state: 'waiting' | 'held' | 'delivered' | 'discarded' = 'waiting';
  /** What came before the reply was somebody's. */
  #early: ((handler: Dispatcher.DispatchHandler) => void)[] = [];
  #ahead = 0;
  #drained = 0;
  #deadline: Timer | undefined;

  constructor(trip: Recipient, call: Call, clock: Clock, resolve: (reply: HeldReply) => void, reject: (error: unknown) => void) {
    this.#trip = trip;
    this.#call = call;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#forget = call.onAbort((reason) => {
      this.controller?.abort(reason as Error);
      reject(reason);
    });
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller;
    if (this.#call.aborted) controller.abort(this.#call.reason as Error);
  }

  onResponseStart(controller: Controller, status: number, headers: IncomingHttpHeaders, message?: string): void {
    if (status < 200) return this.#trip.handler.onResponseStart?.(this.#trip, status, headers, message);
    this.#forget();
    this.controller = controller;
    this.status = status;
    this.headers = headers;
    this.#message = message;
    this.#state = 'held';
    this.#resolve(this);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#state === 'discarded') {
      this.#drained += chunk.length;
      if (this.#drained > longestDrained) controller.abort(superseded);
      return;
    }
    // While nobody has it, a short body is read to its end all the same, and the connection is free.
    if (this.#state === 'held' && (this.#ahead += chunk.length) > mostAhead) controller.pause();
    this.#pass((handler) => handler.onResponseData?.(this.#trip, chunk));
  }

  onResponseEnd(_controller: Controller, trailers: IncomingHttpHeaders): void {
    this.#deadline?.clear();
    this.#pass((handler) => handler.onResponseEnd?.(this.#trip, trailers));
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.#deadline?.clear();
    if (this.#state === 'waiting') {
      this.#forget();
      this.#reject(error);
    } else {
      this.#pass((handler) => handler.onResponseError?.(this.#trip, error));
    }
  }

  /** Gives the reply to the handler, with what has come of its body. */
  deliver(): void {
    const { handler, bodySpan } = this.#trip;
    this.#state = 'delivered';
    if (bodySpan !== undefined) {
      this.#deadline = this.#clock.setTimer(() => this.controller?.abort(timedOut(this.#call.name, bodySpan)), bodySpan);
      this.#deadline.unref();
    }
    handler.onResponseStart?.(this.#trip, this.status, this.headers, this.#message);
    this.resume();
  }

  /** Goes on, unless the handler wants to wait. */
  resume(): void {
    while (this.#early.length > 0 && !this.#trip.paused) this.#early.shift()?.(this.#trip.handler);
    if (!this.#trip.paused) this.controller?.resume();
  }

  /** Nobody wants it. A short body is read to its end, so that the connection can be used again. */
  discard(): void {
    this.#state = 'discarded';
    this.#early = [];
    this.controller?.resume();
  }

  #pass(event: (handler: Dispatcher.DispatchHandler) => void): void {
    if (this.#state === 'discarded') return;
    if (this.#state === 'delivered' && this.#early.length === 0) event(this.#trip.handler);
    else this.#early.push(event);
  }
}
