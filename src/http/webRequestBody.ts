import { Readable } from 'node:stream';

/** The body of a `Request`, which is taken from it only when somebody reads: what nobody looked at is still the request's own. */
export class WebRequestBody extends Readable {
  readonly #request: Request;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(request: Request) {
    super();
    this.#request = request;
    // The client may leave before anybody reads it, which must not end the process.
    this.on('error', () => undefined);
  }

  /** Whether somebody has read of it, or looks on while it arrives (`watchBody`). */
  get isTouched(): boolean {
    return this.#reader !== undefined || Object.hasOwn(this, 'push');
  }

  override _read(): void {
    this.#readOn().catch((error: unknown) => this.destroy(error as Error));
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#reader?.cancel(error).catch(() => undefined);
    callback(error);
  }

  async #readOn(): Promise<void> {
    const reader = (this.#reader ??= this.#request.body?.getReader());
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    this.push(done ? null : value);
  }
}
