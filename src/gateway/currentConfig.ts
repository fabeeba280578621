import type { Clock } from '../core/clock.js';
import { GatewayConfig } from './config/gatewayConfig.js';
import { type FileWatch, watchFile } from './config/watch.js';
import { configOf, type GivenConfig } from './given.js';

/** The configuration in use: where it is read from again, and the watch over its file. */
export class CurrentConfig {
  readonly #file: string | undefined;
  readonly #clock: Clock;
  #config: GatewayConfig;
  #changed: (() => void) | undefined;
  #watch: FileWatch | undefined;
  #watched: string | undefined;

  /** With a `file`, that is what is read again, wherever the first one came from. */
  constructor(first: GatewayConfig, file: string | undefined, clock: Clock) {
    this.#config = first;
    this.#file = file;
    this.#clock = clock;
  }

  /** What was given, else the file once more. Throws `ConfigError`. */
  read(given: GivenConfig | undefined): GatewayConfig {
    if (given !== undefined) return configOf(given);
    return this.#file === undefined ? this.#config.reread() : GatewayConfig.fromFile(this.#file, { namespace: this.#config.namespace });
  }

  /** It is in use now. One without a file does not make the gateway forget its file: a reload of nothing goes back there. */
  take(config: GatewayConfig): void {
    if (config.source === undefined && this.#config.source !== undefined) return;
    this.#config = config;
    this.#listen();
  }

  /** Tells of each change of the file, where the first configuration is to be watched; also of a file that takes its place later. */
  follow(changed: () => void): void {
    if (!this.#config.watch) return;
    this.#changed = changed;
    this.#listen();
  }

  close(): void {
    this.#changed = undefined;
    this.#watch?.close();
  }

  #listen(): void {
    const { source, text: known } = this.#config;
    const file = this.#file ?? source;
    if (this.#changed === undefined || file === undefined || file === this.#watched) return;
    this.#watch?.close();
    this.#watched = file;
    this.#watch = watchFile(file, this.#changed, { clock: this.#clock, known });
  }
}
