import { randomFillSync } from 'node:crypto';

/** Judges the frames of one direction of a WebSocket by their headers. */
export interface FrameWatcher {
  /** Whether a frame may pass. `false` stops the direction in front of it. */
  frame(opcode: number, final: boolean, length: number): boolean;
}

const close = 8;
const nothing = new Uint8Array();

/**
 * Follows the frames (RFC 6455 5.2) of one direction of a WebSocket by their headers, without changing a byte: where one ends and the next
 * begins, and with which code the connection is closed. A `watcher` may stop it in front of a frame.
 */
export class Frames {
  /** Whether a whole close frame came by. */
  closed = false;
  /** The code in it, if it has one. */
  code: number | undefined = undefined;
  /** Whether the watcher said no. It is not asked again, and nothing counts as passed any more. */
  refused = false;
  readonly #watcher: FrameWatcher | undefined;
  readonly #header = new Uint8Array(14);
  /** Bytes of the next header that are here, and that it has. */
  #have = 0;
  #want = 2;
  /** Bytes of the current frame that have not come yet. */
  #left = 0;
  #opcode = 0;
  /** Bytes of the current frame's payload that came; counted for close frames alone. */
  #seen = 0;
  #masked = false;

  constructor(watcher?: FrameWatcher) {
    this.#watcher = watcher;
  }

  /** Whether the last chunk ended with a frame, so that another frame can be put behind it. Half a header that was held back is none. */
  get between(): boolean {
    return this.refused || (this.#left === 0 && (this.#have === 0 || this.#watcher !== undefined));
  }

  /** The beginning of a header that is not complete yet: with a watcher, it has to be held back. */
  get held(): Uint8Array {
    return this.#have === 0 ? nothing : this.#header.slice(0, this.#have);
  }

  /**
   * Reads a chunk; answers how many of its bytes belong to whole headers that may pass, and to what lies behind these. With `toEnd` it
   * stops at the end of the first frame.
   */
  follow(chunk: Uint8Array, toEnd: boolean = false): number {
    const { length } = chunk;
    let at = 0;
    let whole = 0;
    while (at < length) {
      if (this.#left > 0) {
        const end = Math.min(length, at + this.#left);
        if (this.#opcode === close) this.#readCode(chunk, at, end);
        this.#left -= end - at;
        at = end;
      } else {
        this.#header[this.#have++] = chunk[at++] as number;
        if (this.#have === 2) this.#want = headerLength(this.#header[1] as number);
        if (this.#have < this.#want) continue;
        this.#begin();
      }
      if (this.#opcode === close && this.#left === 0) this.closed = true;
      if (!this.refused) whole = at;
      if (toEnd && this.#left === 0) break;
    }
    return whole;
  }

  #begin(): void {
    const header = this.#header;
    const first = header[0] as number;
    const second = header[1] as number;
    this.#opcode = first & 15;
    this.#left = payloadLength(header);
    this.#masked = second >= 128;
    this.#seen = 0;
    if (!this.refused && this.#watcher?.frame(this.#opcode, first >= 128, this.#left) === false) this.refused = true;
    // The key of a masked close frame stays in `header` until the next header begins.
    this.#have = 0;
  }

  #readCode(chunk: Uint8Array, from: number, end: number): void {
    for (let at = from; at < end && this.#seen < 2; at++, this.#seen++) {
      const byte = (chunk[at] as number) ^ (this.#masked ? (this.#header[this.#want - 4 + this.#seen] as number) : 0);
      this.code = this.#seen === 0 ? byte << 8 : (this.code as number) | byte;
    }
  }
}

function headerLength(second: number): number {
  const length = second & 127;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second >= 128 ? 4 : 0);
}

/** Above 2^53 it is not exact, and no such frame ever ends. */
function payloadLength(header: Uint8Array): number {
  const length = (header[1] as number) & 127;
  if (length < 126) return length;
  let long = 0;
  for (let at = 2; at < (length === 126 ? 4 : 10); at++) long = long * 256 + (header[at] as number);
  return long;
}

/** A close frame (RFC 6455 5.5.1): `masked` for a server, as clients have to. The reason must be short, and is cut to 123 bytes. */
export function closeFrame(code: number, reason: string, masked: boolean): Uint8Array {
  const text = Buffer.from(reason).subarray(0, 123);
  const payload = Buffer.alloc(2 + text.length);
  payload.writeUInt16BE(code);
  payload.set(text, 2);
  if (!masked) return Buffer.concat([Buffer.of(0x80 | close, payload.length), payload]);
  const key = randomFillSync(Buffer.alloc(4));
  for (let at = 0; at < payload.length; at++) payload[at] = (payload[at] as number) ^ (key[at & 3] as number);
  return Buffer.concat([Buffer.of(0x80 | close, 0x80 | payload.length), key, payload]);
}
