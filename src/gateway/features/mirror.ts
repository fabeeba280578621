import { Readable } from 'node:stream';
import { Call } from '../../core/call.js';
import { isSource } from '../../http/body.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { headerOf } from '../../http/headers.js';
import { Answered } from '../../http/problem.js';
import { watchBody } from '../../http/watchBody.js';
import type { Features } from '../config/featureSchemas.js';
import { exchangeOf, type Feature, type FeatureContext, type Forward } from '../feature.js';

/** Copies under way at once; further requests are not copied. */
const mostCopies = 100;
/** The longest body that is copied. */
const longestBody = 1_048_576;
/** How long a copy may take, its answer's body included, in milliseconds. */
const longestCopy = 30_000;
/** How often failures are told, in milliseconds. */
const toldEvery = 60_000;

/** Sends a copy of requests to another pool and drops its answers. The request itself neither waits for a copy nor fails with it. */
export const mirror: Feature<NonNullable<Features['mirror']>> = {
  name: 'mirror',
  upgrades: false,
  create({ upstream, percent }, context) {
    const copies = new Copies(upstream, context);
    const { random } = context.runtime;
    return [
      {
        enter(call) {
          if (random() * 100 < percent) copies.take(exchangeOf(call), call);
          return undefined;
        },
      },
    ];
  },
};

class Copies {
  readonly #upstream: string;
  readonly #context: FeatureContext;
  readonly #forward: Forward;
  #open = 0;
  /** Bodies that are still arriving. */
  #gathering = 0;
  #failed = 0;
  #skipped = 0;
  #toldAt = -Infinity;

  constructor(upstream: string, context: FeatureContext) {
    this.#upstream = upstream;
    this.#context = context;
    this.#forward = context.forwardTo(upstream);
  }

  take(exchange: Exchange, call: Call): void {
    const { body } = exchange;
    if (this.#open >= mostCopies || Number(headerOf(exchange.headers, 'content-length') ?? 0) > longestBody) {
      this.#skipped++;
      return;
    }
    if (!(body instanceof Readable)) {
      this.#send(copyOf(exchange, body), call);
      return;
    }
    this.#gather(exchange, body, call);
  }

  /** A stream is copied while it comes, whoever reads it and however fast; the copy goes when all is there. */
  #gather(exchange: Exchange, body: Readable, call: Call): void {
    if (this.#gathering >= mostCopies) return void this.#skipped++;
    this.#gathering++;
    body.once('close', () => this.#gathering--);
    const copy = copyOf(exchange, undefined);
    const chunks: Uint8Array[] = [];
    let length = 0;
    watchBody(body, {
      chunk: (bytes) => {
        length += bytes.length;
        if (length <= longestBody) chunks.push(bytes);
        else chunks.length = 0;
        return undefined;
      },
      end: () => {
        // Aborted: somebody found the request too long, or nobody waits for it any more. Answered: Node then drops the rest of the body unseen.
        const cut = call.aborted || exchange.origin.response?.writableFinished === true;
        if (length > longestBody || cut) return void this.#skipped++;
        copy.body = Buffer.concat(chunks);
        this.#send(copy, call);
      },
    });
  }

  #send(copy: Exchange, { site, self }: Call): void {
    if (this.#open >= mostCopies) return void this.#skipped++;
    this.#open++;
    const call = new Call(site, self, [copy], undefined);
    const timer = this.#context.runtime.clock.setTimer(
      () => call.abort(new Error(`the copy took longer than ${longestCopy} ms`)),
      longestCopy,
    );
    timer.unref();
    void this.#sent(copy, call).then((error) => {
      timer.clear();
      this.#open--;
      if (error !== undefined) this.#tell(error);
    });
  }

  /** Why the copy failed, if it did. */
  async #sent(copy: Exchange, call: Call): Promise<unknown> {
    try {
      await drained(await this.#forward(copy, call), call);
      return undefined;
    } catch (error) {
      if (!(error instanceof Answered)) return error;
      return drained(error.answer, call).catch((broken: unknown) => broken);
    }
  }

  #tell(error: unknown): void {
    this.#failed++;
    const now = this.#context.runtime.clock.monotonic();
    if (now - this.#toldAt < toldEvery) return;
    this.#toldAt = now;
    this.#context.warn('copies of requests fail', { upstream: this.#upstream, failed: this.#failed, skipped: this.#skipped, error });
  }
}

/** Reads an answer to its end, so that its connection can be used again. */
function drained({ body, tunnel }: Answer, call: Call): Promise<void> {
  tunnel?.socket.destroy();
  if (!isSource(body)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const forget = call.onAbort((reason) => {
      body.cancel(reason as Error);
      reject(reason);
    });
    body.start({
      write: () => true,
      end() {
        forget();
        resolve();
      },
      fail(error) {
        forget();
        reject(error);
      },
    });
  });
}

function copyOf(exchange: Exchange, body: Uint8Array | undefined): Exchange {
  return exchange.copy({ headers: [...exchange.headers], body, origin: {} });
}
