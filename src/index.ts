/** Premier: resilience for TypeScript services, as decorators and wrappers. */
export { Premier, type PremierStats, pipe } from './premier.js';
export type { PremierOptions } from './premierOptions.js';
export { bulkhead, fallback, hedge, retry, timeit, timeout } from './standalone.js';
export { currentSignal } from './core/call.js';
export type { Call } from './core/call.js';
export { type Clock, type Timer, systemClock } from './core/clock.js';
export type { AnyDecorator, Decorator, PolicyDescription, Reject } from './core/decorate.js';
export type { Duration } from './core/duration.js';
export { encodeArgs } from './core/encode.js';
export {
  BulkheadFullError,
  CircuitBreakerOpenError,
  CircuitBreakerOpenError as CircuitBreakerOpenException,
  KeyError,
  OptionsError,
  PremierError,
  type PremierErrorCode,
  QuotaExceedsError,
  RejectedError,
  StoreUnavailableError,
  TimeoutError,
} from './core/errors.js';
export type { EventDetails, EventName, Listener, PremierEvent } from './core/events.js';
export * as options from './core/options.js';
export type { ErrorClass, Field, Logger, Schema } from './core/options.js';
export {
  type Around,
  type Behaviour,
  type Beside,
  definePolicy,
  type Exit,
  type Next,
  type Place,
  type PolicyDefinition,
  Refusal,
  type Registry,
  type Runtime,
} from './core/policy.js';
export type {
  Algorithm,
  Awaitable,
  Bus,
  Hearing,
  LuaReply,
  LuaStep,
  Provider,
  Seen,
  SharedValues,
  Step,
  Store,
  StoreChange,
  Subscription,
  Tags,
  Verdict,
} from './core/provider.js';
export type { AlgorithmName, Quota } from './algorithms/index.js';
export type { Backoff, Wait } from './policies/backoff.js';
export type { Breakers } from './policies/breakers.js';
export type { CircuitInfo, CircuitState } from './policies/circuit.js';
export type { CacheSetOptions, CacheStats, ManualCache } from './policies/manualCache.js';
export type { LimitResult, NamedLimiter, NamedLimiterOptions } from './policies/namedLimiter.js';
export type {
  BulkheadOptions,
  CacheEvictOptions,
  CacheResultOptions,
  CircuitBreakerOptions,
  CircuitWindowOptions,
  Fallback,
  FallbackOptions,
  HedgeOptions,
  LeakyBucketOptions,
  LimiterOptions,
  LimitOptions,
  RetryOptions,
  ThrottleOptions,
  TimeitOptions,
  TimeoutOptions,
  TokenBucketOptions,
  WindowOptions,
} from './policies/index.js';
export { memory, type MemoryOptions } from './providers/memory.js';
export { tiered, type TieredOptions } from './providers/tiered.js';
