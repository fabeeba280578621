import type { Call } from '../core/call.js';
import type { Behaviour, Place, Runtime } from '../core/policy.js';
import type { Answer, Exchange } from '../http/exchange.js';

/** What a feature may touch beside its options. */
export interface FeatureContext {
  /** Clock, random, events, provider, keyspace, registry: they outlive reloads. */
  readonly runtime: Runtime;
  /** What the pipeline is compiled for; `site.method` is the path's pattern, made unique. */
  readonly place: Place;
  /** The pattern of the path, as the file has it. */
  readonly pattern: string;
  /** Opens a pool by its name, as `mirror` does. */
  forwardTo(upstream: string): Forward;
  /** Writes a warning line, with fields. */
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Sends an exchange on: to an upstream, or into an app. Resolves with the answer's head; the body may still be arriving. */
export type Forward = (exchange: Exchange, call: Call) => Promise<Answer>;

/** A policy around an exchange, named in YAML: the policies' behaviours with their HTTP answers filled in. */
export interface Feature<Options> {
  /** The YAML key. */
  readonly name: string;
  /** Whether it works around a WebSocket's handshake too. */
  readonly upgrades: boolean;
  /** Called once for each compiled path. */
  create(options: Options, context: FeatureContext): readonly Behaviour[];
}

/** The exchange of a call: the only argument of every call in the gateway. */
export function exchangeOf(call: Call): Exchange {
  return call.args[0] as Exchange;
}

/** A behaviour around the exchange, written with the gateway's own types. */
export function aroundExchange(run: (exchange: Exchange, next: (call: Call) => Promise<Answer>, call: Call) => Promise<Answer>): Behaviour {
  return { run: (call, next) => run(exchangeOf(call), next as (call: Call) => Promise<Answer>, call) };
}
