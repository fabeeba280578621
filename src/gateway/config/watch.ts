import { createHash } from 'node:crypto';
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, systemClock, type Timer } from '../../core/clock.js';

/** How a file is watched. */
export interface WatchOptions {
  readonly clock?: Clock;
  /**
   * How often the file is read to see whether it has changed, in milliseconds.
   * @default 2000
   */
  readonly interval?: number;
  /** The text that the caller has read already; by default, what the file holds now. */
  readonly known?: string | undefined;
}

/** A file that is being watched. */
export interface FileWatch {
  close(): void;
}

const settleMs = 50;

/**
 * Tells the text of a file each time that it has changed: written in place, replaced by a rename, or reached through a symlink
 * that was swapped, as Kubernetes does. A file that is gone is waited for; a file that is still being written is not told until
 * two reads agree. `changed` must not throw.
 */
export function watchFile(path: string, changed: (text: string) => void, options: WatchOptions = {}): FileWatch {
  return new Watch(path, changed, options);
}

class Watch implements FileWatch {
  readonly #path: string;
  readonly #changed: (text: string) => void;
  readonly #clock: Clock;
  readonly #interval: number;
  #watcher: FSWatcher | undefined;
  #timer: Timer | undefined;
  /** What was told last. */
  #known: string | undefined;
  /** What the read before saw. */
  #seen: string | undefined;
  #reading = false;
  #again = false;
  #closed = false;

  constructor(
    path: string,
    changed: (text: string) => void,
    { clock = systemClock, interval = 2000, known = textNow(path) }: WatchOptions,
  ) {
    this.#path = path;
    this.#changed = changed;
    this.#clock = clock;
    this.#interval = interval;
    this.#known = printOf(known);
    this.#listen();
    void this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.clear();
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** The directory, not the file: a watch of a file stays with the old one when a new one takes its name. */
  #listen(): void {
    try {
      this.#watcher = watch(dirname(this.#path), { persistent: false }, () => this.#noticed());
      this.#watcher.on('error', () => this.#deaf());
    } catch {
      // No directory, or no inotify watch left. Polling goes on, and tries again.
      this.#watcher = undefined;
    }
  }

  #deaf(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #noticed(): void {
    if (this.#reading) this.#again = true;
    else this.#wait(settleMs);
  }

  #wait(ms: number): void {
    this.#timer?.clear();
    if (this.#closed) return;
    this.#timer = this.#clock.setTimer(() => void this.#look(), ms);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    this.#reading = true;
    this.#again = false;
    // A bind-mounted file, or the target of a symlink elsewhere, changes without a word from the directory: hence the poll.
    const text = await readFile(this.#path, 'utf8').catch(() => undefined);
    this.#reading = false;
    if (this.#closed) return;
    if (!this.#watcher) this.#listen();
    const print = printOf(text);
    const steady = print === this.#seen;
    this.#seen = print;
    const isNew = print !== undefined && print !== this.#known;
    this.#wait((isNew && !steady) || this.#again ? settleMs : this.#interval);
    if (!isNew || !steady) return;
    this.#known = print;
    this.#changed(text as string);
  }
}

function printOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : createHash('sha256').update(text).digest('base64');
}

function textNow(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
