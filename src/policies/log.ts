import { guard } from '../core/events.js';
import type { Logger } from '../core/options.js';

/** Writes a line; a logger that throws is its own problem. */
export function log(to: Logger, line: string): void {
  guard(() => (typeof to === 'function' ? to(line) : to.info(line)));
}

/** An error in a line, whatever was thrown. */
export function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'something that has no text';
  }
}
