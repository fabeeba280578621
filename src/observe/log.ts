import type { DestinationStream } from 'pino';
import type { Clock } from '../core/clock.js';
import { RejectedError } from '../core/errors.js';
import type { Exchange } from '../http/exchange.js';
import type { Problem } from '../http/problem.js';
import { accessFields, accessJson, hundredths } from './accessLine.js';
import { type JsonLines, jsonLines, type LineLogger, type LogFields, type LogLevel } from './jsonLines.js';

/** What a gateway's `logger` may be: something in pino's way, or something that takes finished lines. */
export type GatewayLogger = LineLogger | DestinationStream;

/** How a gateway logs: `log` of its config, and where to. */
export interface GatewayLogOptions {
  readonly level: LogLevel;
  /** Which requests get a line of their own. */
  readonly access: 'all' | 'slow' | 'none';
  readonly clock: Clock;
  /** Standard output by default. */
  readonly logger?: GatewayLogger | undefined;
}

/** How a WebSocket ended. */
export interface WebSocketEnd {
  readonly exchange: Exchange;
  readonly seconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** The close code that was seen. */
  readonly code: number | undefined;
  readonly by: string;
}

/** From how many milliseconds on a request is slow where its path does not say. */
const slowByDefault = 100;

/** Writes what happens as lines of JSON. Paths stand in it without their query, which may hold secrets. It never throws. */
export class GatewayLog {
  readonly #json: JsonLines | undefined;
  readonly #lines: LineLogger;
  readonly #access: 'all' | 'slow' | 'none';

  constructor({ level, access, clock, logger }: GatewayLogOptions) {
    if (logger !== undefined && 'info' in logger) {
      this.#lines = logger;
      this.#access = level === 'silent' ? 'none' : access;
    } else {
      this.#json = jsonLines({ level, clock, ...(logger && { stream: logger }) });
      this.#lines = this.#json.lines;
      this.#access = this.#json.info ? access : 'none';
    }
  }

  /** A request is over. `slowAfterMs` is the `log_threshold` of its path, where it has `monitoring`. */
  request(exchange: Exchange, status: number, seconds: number, bytes: number, slowAfterMs?: number): void {
    const ms = seconds * 1000;
    const isAccess = this.#access === 'all' || (this.#access === 'slow' && ms >= (slowAfterMs ?? slowByDefault));
    const isSlow = slowAfterMs !== undefined && ms >= slowAfterMs;
    if (!isAccess && !isSlow) return;
    if (this.#json === undefined) this.#foreign(exchange, status, ms, bytes, isAccess, isSlow);
    else this.#own(this.#json, accessJson(exchange, status, ms, bytes), isAccess, isSlow);
  }

  #own(json: JsonLines, fields: string, isAccess: boolean, isSlow: boolean): void {
    try {
      if (isAccess) json.write('INFO', fields, 'Request completed');
      if (isSlow && json.warn) json.write('WARN', fields, 'Slow request');
    } catch {
      return;
    }
  }

  #foreign(exchange: Exchange, status: number, ms: number, bytes: number, isAccess: boolean, isSlow: boolean): void {
    const fields = accessFields(exchange, status, ms, bytes);
    if (isAccess) this.#write('info', fields, 'Request completed');
    if (isSlow) this.#write('warn', fields, 'Slow request');
  }

  /** A WebSocket is closed: logged as requests are, or when it lasted at least as long as its path's `log_threshold`. */
  webSocket(end: WebSocketEnd, slowAfterMs?: number): void {
    const { exchange } = end;
    const ms = end.seconds * 1000;
    const isLong = ms >= (slowAfterMs ?? (this.#access === 'slow' ? slowByDefault : Infinity));
    if (this.#access !== 'all' && !isLong) return;
    const fields = {
      correlation_id: exchange.correlationId,
      traceparent: exchange.traceparent,
      method: exchange.method,
      path: exchange.path,
      status_code: 101,
      duration_ms: hundredths(ms),
      endpoint: exchange.pattern,
      client: exchange.client,
      upstream: exchange.server,
      bytes_up: end.bytesUp,
      bytes_down: end.bytesDown,
      close_code: end.code,
      closed_by: end.by,
    };
    this.#write('info', fields, 'WebSocket closed');
  }

  /** A request that the gateway answered with an error, for those whose cause a person should see: the client was told none of it. */
  problem(exchange: Exchange, problem: Problem): void {
    // What a policy refuses is told by its own event, not once for each request.
    if (problem.status < 500 || problem.cause instanceof RejectedError) return;
    const fields = failed(exchange, problem.status, said(problem.cause, problem.type === 'internal_server_error'));
    this.#write(problem.type === 'internal_server_error' ? 'error' : 'warn', fields, problem.message);
  }

  /** An answer whose head was out broke off, and its connection with it: the client cannot be told why. */
  broken(exchange: Exchange, status: number, error: Error): void {
    this.#write('warn', failed(exchange, status, said(error, false)), 'The answer broke off');
  }

  info(message: string, fields: LogFields = {}): void {
    this.#write('info', fields, message);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#write('warn', fields, message);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#write('error', fields, message);
  }

  /** Waits until all lines are written. */
  flush(): void {
    this.#json?.flush();
  }

  /** Writes what is left, and lets go of what it opened. */
  close(): void {
    this.#json?.close();
  }

  /** A logger is a stranger's code: what it throws must not end a request. */
  #write(level: 'info' | 'warn' | 'error', fields: LogFields, message: string): void {
    try {
      this.#lines[level](fields, message);
    } catch {
      return;
    }
  }
}

function failed(exchange: Exchange, status: number, error: string | undefined): LogFields {
  return {
    correlation_id: exchange.correlationId,
    traceparent: exchange.traceparent,
    method: exchange.method,
    path: exchange.path,
    status_code: status,
    endpoint: exchange.pattern,
    upstream: exchange.server,
    error,
  };
}

/** An exception in words: all of it where it is a mistake of ours, what it says otherwise. */
function said(cause: unknown, withStack: boolean): string | undefined {
  if (cause === undefined) return undefined;
  if (!(cause instanceof Error)) return String(cause);
  const text = withStack ? (cause.stack ?? cause.message) : `${cause.name}: ${cause.message}`;
  return cause.cause === undefined ? text : `${text}; because ${said(cause.cause, withStack)}`;
}
