import type { Runtime } from '../core/policy.js';
import type { Answer, Exchange } from '../http/exchange.js';
import type { GatewayLog } from '../observe/log.js';
import type { Metrics } from '../observe/metrics.js';
import type { Generation } from './generation.js';
import type { Pipeline } from './pipeline.js';

/** What whoever brings a request in needs of the gateway. */
export interface Host {
  readonly runtime: Runtime;
  readonly log: GatewayLog;
  readonly metrics: Metrics;
  /** The configuration in use, compiled. */
  readonly generation: Generation;
  /** Whether it is about to close: each answer is then the last one on its connection. */
  readonly draining: boolean;
  /** A request came in, which is correlated from here on: the counterpart of `finished`. */
  began(exchange: Exchange): void;
  /** It is over. */
  finished(exchange: Exchange, status: number, bytes: number, pipeline: Pipeline | undefined): void;
  /** What the gateway answers by itself: /health, /metrics and the others. */
  own(exchange: Exchange): Answer | Promise<Answer> | undefined;
}
