import type { Clock } from '../../core/clock.js';
import type { FrameWatcher } from './frames.js';

/** What a client may send through a WebSocket. */
export interface MessageBounds {
  readonly max_message_bytes?: number | undefined;
  readonly max_messages_per_s?: number | undefined;
}

/**
 * Holds a client to the length and the rate of its messages, by the headers of their frames alone. With permessage-deflate the length is
 * that of the compressed message: what crosses the gateway.
 */
export class MessageLimits implements FrameWatcher {
  /** The close code (RFC 6455 7.4.1) and reason for the client, once a frame was refused. */
  code = 1008;
  reason = '';
  readonly #clock: Clock;
  readonly #longest: number;
  readonly #rate: number;
  /** Bytes of the frames of the message so far. */
  #length = 0;
  /** Messages that may come now: one bucket, that a second fills. */
  #tokens: number;
  #filled: number;

  constructor(bounds: MessageBounds, clock: Clock) {
    this.#clock = clock;
    this.#longest = bounds.max_message_bytes ?? Infinity;
    this.#rate = this.#tokens = bounds.max_messages_per_s ?? Infinity;
    this.#filled = clock.monotonic();
  }

  /** Limits, when there is anything to limit. */
  static of(bounds: MessageBounds | undefined, clock: Clock): MessageLimits | undefined {
    if (bounds?.max_message_bytes === undefined && bounds?.max_messages_per_s === undefined) return undefined;
    return new MessageLimits(bounds, clock);
  }

  frame(opcode: number, final: boolean, length: number): boolean {
    // Control frames, which may stand between those of a message. They are short, and no messages.
    if (opcode >= 8) return true;
    // A message that begins within another one is the upstream's to refuse; here it makes that one longer.
    this.#length += length;
    if (this.#length > this.#longest) return this.#refuse(1009, 'the message is too long');
    if (final) this.#length = 0;
    return opcode === 0 || this.#spend() || this.#refuse(1008, 'too many messages');
  }

  #spend(): boolean {
    if (this.#rate === Infinity) return true;
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#rate, this.#tokens + ((now - this.#filled) * this.#rate) / 1000);
    this.#filled = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #refuse(code: number, reason: string): false {
    this.code = code;
    this.reason = reason;
    return false;
  }
}
