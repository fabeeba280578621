import type { Runtime } from '../core/policy.js';
import { compileTrust } from '../http/client.js';
import type { Exchange } from '../http/exchange.js';
import { encodedSlashesOf } from './encodedSlashes.js';
import type { Edge } from '../http/nodeRequest.js';
import type { Features } from './config/featureSchemas.js';
import type { PathConfig, ResolvedConfig } from './config/schema.js';
import type { FeatureContext } from './feature.js';
import { preflightOf } from './features/cors.js';
import { isReset } from './own/ownPaths.js';
import { Pipeline } from './pipeline.js';
import { Router } from './router.js';
import type { Targets } from './targets.js';

/** A path with what is compiled for it. */
interface Route extends Pick<PathConfig, 'pattern' | 'methods' | 'host' | 'enabled'> {
  readonly pipeline: Pipeline;
}

/** What a generation is made with. */
export interface GenerationInit {
  readonly config: ResolvedConfig;
  readonly runtime: Runtime;
  readonly targets: Targets;
  readonly warn: FeatureContext['warn'];
  /** The one before: pipelines whose configuration did not change are taken over, with all that they count. */
  readonly before: Generation | undefined;
}

/** A configuration, compiled whole. A reload makes another one and swaps a single reference; requests under way stay on theirs. */
export class Generation {
  readonly config: ResolvedConfig;
  readonly edge: Edge;
  readonly targets: Targets;
  readonly #router: Router<Route>;
  readonly #other: Pipeline;
  readonly #pipelines = new Map<string, Pipeline>();

  constructor(init: GenerationInit) {
    const { config, runtime, targets } = init;
    this.config = config;
    this.targets = targets;
    this.edge = {
      trusted: compileTrust(config.trusted_proxies),
      maxUriBytes: config.limits.max_uri_bytes,
      mergeSlashes: config.merge_slashes,
      // A regular expression may need the square of the length.
      ...(config.paths.some(({ pattern }) => pattern.startsWith('^')) && { maxPath: 2048 }),
      encodedSlashes: encodedSlashesOf(config),
      clock: runtime.clock,
      // The names of circuits are patterns.
      ...(config.admin.paths && config.admin.listener === undefined && { isOwn: isReset }),
    };
    const labels = new Set<string>();
    this.#router = new Router(
      config.paths.map(({ pattern, methods, host, enabled, upstream, features }): Route => {
        const restricted = [...(methods ?? []), ...(host === undefined ? [] : [host])].join(',');
        let label = labels.has(pattern) ? `${restricted} ${pattern}`.trim() : pattern;
        for (let i = 2; labels.has(label); i++) label = `${pattern} ${i}`;
        labels.add(label);
        return {
          pattern,
          enabled,
          ...(methods && { methods }),
          ...(host && { host }),
          pipeline: this.#compiled(init, label, pattern, features, upstream),
        };
      }),
    );
    this.#other = this.#compiled(init, labels.has('*') ? 'default_features' : '*', '*', config.default_features ?? {}, undefined);
  }

  /** Apart from the constructor: what a pipeline keeps must not keep the generation before, and with it all before that. */
  #compiled(init: GenerationInit, label: string, pattern: string, features: Features, upstream: string | undefined): Pipeline {
    const { runtime, targets, warn } = init;
    const target = targets.of(upstream);
    const copies = features.mirror === undefined ? '' : targets.of(features.mirror.upstream).key;
    const key = JSON.stringify([label, pattern, features, target.key, copies]);
    const pipeline =
      (init.before === undefined ? undefined : init.before.#pipelines.get(key)) ??
      new Pipeline(label, pattern, features, target, { runtime, warn, forwardTo: (name) => targets.of(name).forward });
    this.#pipelines.set(key, pipeline);
    return pipeline;
  }

  /** The pipeline for an exchange, whose `pattern` it sets: of the first path that matches, or of the default features. */
  pipelineOf(exchange: Exchange): Pipeline {
    const route = this.#preflight(exchange) ?? this.#router.match(exchange.method, exchange.host, exchange.path);
    if (route === undefined) return this.#other;
    exchange.pattern = route.pattern;
    return route.pipeline;
  }

  /** A browser asks with OPTIONS for the path of another method: that path's `cors` answers, where it has one. */
  #preflight(exchange: Exchange): Route | undefined {
    if (exchange.method !== 'OPTIONS') return undefined;
    const wanted = preflightOf(exchange);
    const route = wanted === undefined ? undefined : this.#router.match(wanted, exchange.host, exchange.path);
    return route?.pipeline.features.cors === undefined ? undefined : route;
  }

  /** The names of its circuits: those of its paths, and of its pools. */
  get circuits(): ReadonlySet<string> {
    const named = this.pipelines.filter(({ features }) => features.circuit_breaker !== undefined).map(({ label }) => label);
    return new Set([...named, ...this.targets.circuits]);
  }

  /** Every path's pipeline in the order of the file, and last that of the default features. */
  get pipelines(): readonly Pipeline[] {
    return [...this.#pipelines.values()];
  }
}
