import { type DestinationStream, pino } from 'pino';
import type { Clock } from '../core/clock.js';
import { LineWriter } from './lineWriter.js';
import { Timestamps } from './timestamps.js';

/** From which level on lines are written. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What is logged beside the message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What takes log lines in pino's way: a pino, a console, a logger of Fastify. */
export interface LineLogger {
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** JSON lines, and how what is still on its way gets out. */
export interface JsonLines {
  readonly lines: LineLogger;
  /** Writes a line whose fields are JSON already, whatever the level. */
  write(level: 'INFO' | 'WARN', fields: string, message: string): void;
  /** Whether access lines are of any use. */
  readonly info: boolean;
  /** Whether warnings are. */
  readonly warn: boolean;
  flush(): void;
  close(): void;
}

/** How lines are written. */
export interface JsonLinesOptions {
  readonly level: LogLevel;
  readonly clock: Clock;
  /** Takes finished lines. Standard output by default. */
  readonly stream?: DestinationStream;
}

/** Lines of JSON: `timestamp`, `level` in capitals, `message`, and the fields. */
export function jsonLines({ level, clock, stream }: JsonLinesOptions): JsonLines {
  const out = stream ?? new LineWriter(1);
  const own = out === stream ? undefined : (out as LineWriter);
  const timestamps = new Timestamps();
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"timestamp":"${timestamps.of(clock.now())}"`,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
    },
    out,
  );
  return {
    lines: logger,
    write: (level, fields, message) =>
      out.write(`{"level":"${level}","timestamp":"${timestamps.of(clock.now())}",${fields},"message":"${message}"}\n`),
    info: logger.isLevelEnabled('info'),
    warn: logger.isLevelEnabled('warn'),
    flush: () => own?.flushSync(),
    close: () => own?.close(),
  };
}
