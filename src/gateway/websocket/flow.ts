import type { Duplex } from 'node:stream';
import { Frames } from './frames.js';
import type { MessageLimits } from './messageLimits.js';

/** What happens to a tunnel because of one of its directions. */
export interface FlowWatcher {
  /** Bytes came. */
  moved(): void;
  /** A close frame went by. */
  closing(flow: Flow): void;
  /** The client broke its limits. */
  broken(): void;
}

/** One direction of a tunnel: bytes from one connection to the other, as they are and as fast as the receiver takes them. */
export class Flow {
  readonly from: Duplex;
  readonly to: Duplex;
  readonly frames: Frames;
  bytes = 0;
  /** Whether nothing passes any more: a close frame of the gateway's own was the last thing. */
  shut = false;
  readonly #watcher: FlowWatcher;
  readonly #limits: MessageLimits | undefined;
  /** What is put in at the end of the current frame. */
  #last: Uint8Array | undefined;
  #told = false;

  constructor(from: Duplex, to: Duplex, watcher: FlowWatcher, limits?: MessageLimits) {
    this.from = from;
    this.to = to;
    this.frames = new Frames(limits);
    this.#watcher = watcher;
    this.#limits = limits;
  }

  /** Begins, with what came before. */
  start(head: Uint8Array): void {
    if (head.length > 0) this.#take(head);
    this.from.on('data', (chunk: Uint8Array) => this.#take(chunk));
    this.to.on('drain', () => this.from.resume());
  }

  /** Sends a close frame as soon as no other frame is under way, and nothing after it. */
  close(frame: Uint8Array): void {
    if (this.shut || this.#last !== undefined) return;
    this.#last = frame;
    if (this.frames.between) this.#stop(frame);
    this.from.resume();
  }

  #stop(last: Uint8Array): void {
    this.shut = true;
    // Two close frames would be one too many (RFC 6455 5.5.1).
    if (!this.frames.closed) this.#send(last);
    this.from.resume();
  }

  #take(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.#watcher.moved();
    if (this.shut) this.frames.follow(chunk);
    else if (this.#last !== undefined) this.#finishFrame(chunk, this.#last);
    else if (this.#limits !== undefined) this.#takeWithin(chunk);
    else {
      this.frames.follow(chunk);
      this.#pass(chunk);
    }
    if (!this.frames.closed || this.#told) return;
    this.#told = true;
    this.#watcher.closing(this);
  }

  /** Passes whole headers alone, so that what is refused has not begun on the other side. */
  #takeWithin(chunk: Uint8Array): void {
    const { held } = this.frames;
    const whole = this.frames.follow(chunk);
    if (whole > 0) {
      if (held.length > 0) this.#pass(held);
      this.#pass(whole === chunk.length ? chunk : chunk.subarray(0, whole));
    }
    if (this.frames.refused) this.#watcher.broken();
  }

  #finishFrame(chunk: Uint8Array, last: Uint8Array): void {
    const end = this.frames.follow(chunk, true);
    if (!this.frames.between) return this.#pass(chunk);
    this.#pass(chunk.subarray(0, end));
    this.#stop(last);
    this.frames.follow(chunk.subarray(end));
  }

  #pass(bytes: Uint8Array): void {
    if (!this.#send(bytes)) this.from.pause();
  }

  #send(bytes: Uint8Array): boolean {
    return !this.to.writable || this.to.write(bytes);
  }
}
