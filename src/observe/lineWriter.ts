import { fstatSync, write, writeSync } from 'node:fs';

/** Writers that may still hold lines when the process exits. */
const open = new Set<LineWriter>();

function flushAll(): void {
  for (const writer of open) writer.flushSync();
}

/** Lines that nobody reads are dropped beyond so many characters, before the memory is full. */
const mostPending = 16 * 1024 * 1024;
/** How long a line waits for others, at most. */
const patience = 200;
/** How long to wait where a pipe is full. */
const pause = 50;

/**
 * Writes lines to a file descriptor in chunks, from outside the event loop. Twice as cheap as a general stream: a line costs a place in an array,
 * a chunk one join. A chunk holds whole lines.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #chunk: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #lines: string[] = [];
  #length = 0;
  #isWriting = false;
  /** What is left of a chunk that a full pipe did not take. */
  #rest: Buffer | undefined;
  #isClosed = false;

  constructor(fd: number) {
    this.#fd = fd;
    // Workers share a pipe: only what fits into PIPE_BUF can never be torn apart by the others. Elsewhere a few large chunks are cheaper:
    // each of them wakes a thread.
    this.#chunk = process.send !== undefined && isPipe(fd) ? 4096 : 65_536;
    this.#timer = setInterval(() => this.#send(), patience).unref();
    if (open.size === 0) process.on('exit', flushAll);
    open.add(this);
  }

  write(line: string): void {
    if (this.#isClosed || this.#length > mostPending) return;
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length >= this.#chunk && !this.#isWriting) this.#send();
  }

  /** Writes what waits, now. It blocks, and is for the end. */
  flushSync(): void {
    const rest = this.#rest;
    this.#rest = undefined;
    try {
      if (rest !== undefined) writeAll(this.#fd, rest);
      while (this.#lines.length > 0) writeAll(this.#fd, Buffer.from(this.#take()));
    } catch {
      this.#lines = [];
      this.#length = 0;
    }
  }

  /** Writes what waits, and takes no more lines. The file descriptor is not closed: it is not ours. */
  close(): void {
    this.flushSync();
    this.#isClosed = true;
    clearInterval(this.#timer);
    open.delete(this);
    if (open.size === 0) process.off('exit', flushAll);
  }

  /** Whole lines for one chunk, or the first where that alone is longer. */
  #take(): string {
    const lines = this.#lines;
    let end = 0;
    let length = 0;
    while (end < lines.length && (end === 0 || length + (lines[end] as string).length <= this.#chunk))
      length += (lines[end++] as string).length;
    this.#lines = end === lines.length ? [] : lines.slice(end);
    this.#length -= length;
    return (end === lines.length ? lines : lines.slice(0, end)).join('');
  }

  #send(): void {
    if (this.#isWriting || this.#lines.length === 0) return;
    this.#isWriting = true;
    this.#write(Buffer.from(this.#take()));
  }

  #write(chunk: Buffer): void {
    write(this.#fd, chunk, (error, written) => {
      if (error?.code === 'EAGAIN') this.#later(chunk);
      else if (error !== null) this.close();
      else if (written < chunk.length) this.#write(chunk.subarray(written));
      else this.#done();
    });
  }

  #later(chunk: Buffer): void {
    this.#rest = chunk;
    const retry = (): void => {
      if (this.#rest !== chunk) return this.#done();
      this.#rest = undefined;
      this.#write(chunk);
    };
    setTimeout(retry, pause).unref();
  }

  #done(): void {
    this.#isWriting = false;
    if (this.#length >= this.#chunk) this.#send();
  }
}

/** Also a socket: what it tears apart is torn apart in the same way. */
function isPipe(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return true;
  }
}

/** Writes all of it, and waits for a full pipe no longer than a second. */
function writeAll(fd: number, chunk: Buffer): void {
  let tries = 0;
  for (let from = 0; from < chunk.length;) {
    try {
      from += writeSync(fd, chunk, from);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || ++tries > 1000 / pause) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
    }
  }
}
