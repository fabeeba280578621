import { Call, type Callable, type Site } from '../core/call.js';
import type { Behaviour, Next } from '../core/policy.js';
import { compile } from '../core/run.js';
import { discard } from '../http/body.js';
import type { Answer, Exchange } from '../http/exchange.js';
import { welcomeBody } from '../http/expect.js';
import { type FeatureName, type Features, featureSchemas } from './config/featureSchemas.js';
import { exchangeOf, type Feature, type FeatureContext, type Forward } from './feature.js';
import { caughtAnswer, throwFailures } from './features/failures.js';
import { stages } from './features/index.js';

/** Whom a pipeline ends at. */
export interface Target {
  /** The name of the pool; empty for an app. */
  readonly service: string;
  /** Changes when the target does: two pipelines with one key are alike. */
  readonly key: string;
  readonly forward: Forward;
  /** For paths on which nothing wants to see the answer: the app writes to the client by itself. */
  readonly hand: Forward | undefined;
}

/** Every handshake's origin is looked at, also where nothing is configured: a page of another site must not connect with a client's cookies. */
const guarded = featureSchemas.websocket.parse({});

/** The features of one path, compiled around its target. */
export class Pipeline {
  /** The features, in their order, as YAML names them. */
  readonly names: readonly FeatureName[];
  /** Requests that take at least this long, in milliseconds, are told as slow. */
  readonly slowAfter: number | undefined;
  readonly features: Features;
  /** The name of the pool that it ends at; empty for an app. */
  readonly service: string;
  /** The path's pattern, made unique. */
  readonly label: string;
  /** Whether a feature sees the answer, so that the app gets a response of its own. */
  readonly seesAnswers: boolean;
  readonly #site: Site;
  readonly #plain: Next;
  readonly #upgrade: Next;

  constructor(label: string, pattern: string, features: Features, target: Target, context: Omit<FeatureContext, 'place' | 'pattern'>) {
    this.features = features;
    this.label = label;
    this.service = target.service;
    this.slowAfter = features.monitoring?.log_threshold;
    this.names = stages.map(([name]) => name).filter((name, i, all) => features[name] !== undefined && all.indexOf(name) === i);
    this.#site = { fn: unreachable, method: label, form: 'function' };
    const place = { site: this.#site, ordinal: 0 };
    const used = stages.flatMap(([name, feature, sees]) => {
      const options = features[name] ?? (name === 'websocket' ? guarded : undefined);
      if (options === undefined) return [];
      const behaviours = (feature as Feature<unknown>).create(options, { ...context, place, pattern });
      return [{ sees, upgrades: feature.upgrades, plain: name !== 'websocket', behaviours }];
    });
    this.seesAnswers = used.some((stage) => stage.sees === 'answer');
    const failures = this.seesAnswers ? [throwFailures(new Set(features.retry?.on))] : [];
    const compiled = (of: typeof used, forward: Forward): Next =>
      compile([...of.flatMap(({ behaviours }) => behaviours), ...failures, last(forward)]) as Next;
    this.#plain = compiled(
      used.filter(({ plain }) => plain),
      this.seesAnswers ? target.forward : (target.hand ?? target.forward),
    );
    this.#upgrade = compiled(
      used.filter(({ upgrades }) => upgrades),
      target.forward,
    );
  }

  /** A call for an exchange: what aborts it when the client leaves. */
  call(exchange: Exchange): Call {
    return new Call(this.#site, undefined, [exchange], undefined);
  }

  /** Runs an exchange. Rejects with what the client is to be told as a problem. */
  run(call: Call): Promise<Answer> {
    const next = exchangeOf(call).upgrade === undefined ? this.#plain : this.#upgrade;
    return (next(call) as Promise<Answer>).catch(caughtAnswer);
  }
}

const unreachable: Callable = () => {
  throw new Error('a pipeline ends at its target');
};

/** The innermost place: the target. An answer that comes when nobody waits any more is let go. */
function last(forward: Forward): Behaviour {
  return {
    run(call) {
      const exchange = exchangeOf(call);
      if (exchange.body !== undefined) welcomeBody(exchange);
      return forward(exchange, call).then((answer) => {
        if (call.aborted) discard(answer.body, late);
        return answer;
      });
    },
  };
}

const late = new Error('nobody waits for this answer any more');
