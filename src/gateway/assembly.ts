import { OptionsError } from '../core/errors.js';
import type { Runtime } from '../core/policy.js';
import { GatewayLog } from '../observe/log.js';
import { Metrics } from '../observe/metrics.js';
import type { Tracing } from '../observe/tracing.js';
import { Upstreams } from '../proxy/upstreams.js';
import { circuitsOf, keepCircuits, rememberCircuits } from './circuits.js';
import { formatIssue } from './config/configError.js';
import type { GatewayConfig } from './config/gatewayConfig.js';
import type { ResolvedConfig } from './config/schema.js';
import type { CreateOptions } from './createOptions.js';
import { CurrentConfig } from './currentConfig.js';
import { Gateway } from './gateway.js';
import { Generation } from './generation.js';
import { type GivenConfig, withServers } from './given.js';
import { Own } from './own/own.js';
import type { Target } from './pipeline.js';
import { Targets } from './targets.js';

/** What a gateway is put together from. */
export interface AssemblyParts {
  readonly config: GatewayConfig;
  /** The configuration with the servers that code gave. */
  readonly resolved: ResolvedConfig;
  readonly options: CreateOptions;
  readonly runtime: Runtime;
  readonly app: Target | undefined;
  readonly tracing: Tracing | undefined;
}

/** What cannot change while a gateway runs: too much has been made of it. */
const fixed: readonly (keyof ResolvedConfig)[] = ['store', 'keyspace', 'log'];

/** Puts a gateway together, makes each of its generations, and takes it apart again. */
export class Assembly {
  readonly #parts: AssemblyParts;
  readonly #log: GatewayLog;
  readonly #metrics: Metrics;
  readonly #pools: Upstreams;
  readonly #own: Own;
  readonly #current: CurrentConfig;
  readonly #app: Target | undefined;
  readonly #unhear: () => void;
  #gateway: Gateway | undefined;

  constructor(parts: AssemblyParts) {
    const { config, resolved, options, runtime, app, tracing } = parts;
    const { clock, random, events } = runtime;
    this.#parts = parts;
    this.#app = app && traced(app, 'internal', tracing);
    this.#log = new GatewayLog({ ...resolved.log, clock, logger: options.logger });
    this.#unhear = tellCircuits(runtime, this.#log);
    this.#pools = new Upstreams({
      clock,
      random,
      onServerChange: (upstream, server, up) => this.#log.warn(up ? 'Server is up' : 'Server is down', { upstream, server }),
    });
    this.#metrics = new Metrics({ events, circuits: () => circuitsOf(runtime), upstreams: () => this.#pools.snapshot() });
    this.#own = new Own(resolved, {
      runtime,
      log: this.#log,
      metrics: this.#metrics,
      upstreams: this.#pools,
      metricsText: options.metricsText,
      adminToken: options.adminToken,
      draining: () => this.#made.draining,
      edge: () => this.#made.generation.edge,
    });
    this.#current = new CurrentConfig(config, options.configFile, clock);
  }

  /** The gateway, its admin port open. What was opened is let go of when this fails. */
  async gateway(): Promise<Gateway> {
    const { config, resolved, runtime, tracing } = this.#parts;
    try {
      const gateway = (this.#gateway = new Gateway({
        runtime,
        log: this.#log,
        metrics: this.#metrics,
        own: this.#own,
        tracing,
        first: this.#generate(resolved, undefined),
        build: (next, before) => this.#build(next, before),
        release: () => this.#release(),
      }));
      this.#warn(config);
      if (this.#app === undefined && resolved.servers === undefined && Object.keys(resolved.upstreams).length === 0)
        this.#log.warn('There is nothing behind the gateway: give `app` to createGateway, or name `servers`');
      await this.#own.open();
      this.#current.follow(() => void gateway.reload().catch(() => undefined));
      return gateway;
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  get #made(): Gateway {
    return this.#gateway as Gateway;
  }

  #generate(config: ResolvedConfig, before: Generation | undefined): Generation {
    const { runtime, tracing } = this.#parts;
    const targets = new Targets(config, this.#app, this.#pools, runtime, (target) => traced(target, 'client', tracing));
    try {
      return new Generation({ config, runtime, targets, warn: (message, fields) => this.#log.warn(message, fields), before });
    } catch (error) {
      targets.release();
      throw error;
    }
  }

  /** The next generation. When anything is wrong with it, all is as it was before. */
  async #build(next: GivenConfig | undefined, before: Generation): Promise<Generation> {
    const { runtime, options } = this.#parts;
    const read = this.#current.read(next);
    const wanted = withServers(read, options.servers, this.#app !== undefined);
    const changed = fixed.find((key) => JSON.stringify(wanted[key]) !== JSON.stringify(before.config[key]));
    if (changed !== undefined) throw new OptionsError(`${changed}: a change of it needs a restart; everything else can be reloaded`);
    const restore = rememberCircuits(runtime);
    let made: Generation | undefined;
    try {
      made = this.#generate(wanted, before);
      await this.#own.configure(wanted);
    } catch (error) {
      made?.targets.release();
      restore();
      throw error;
    }
    keepCircuits(runtime, made.circuits);
    this.#current.take(read);
    this.#warn(read);
    return made;
  }

  async #release(): Promise<void> {
    const { options, runtime } = this.#parts;
    this.#current.close();
    this.#unhear();
    this.#metrics.close();
    await Promise.all([this.#own.close(), this.#pools.close(0)]);
    if (options.provider === undefined) await runtime.provider.close();
    this.#log.close();
  }

  #warn({ warnings, source }: GatewayConfig): void {
    for (const warning of warnings) this.#log.warn(formatIssue(warning, source));
  }
}

/** Tells once that a circuit opens or the store is lost, not once for each request. */
function tellCircuits({ events }: Runtime, log: GatewayLog): () => void {
  const stops = [
    events.on('circuitOpened', ({ circuit, retryAfter }) => log.warn('Circuit opened', { circuit, retry_after: retryAfter })),
    events.on('circuitClosed', ({ circuit }) => log.info('Circuit closed', { circuit })),
    events.on('storeDown', ({ store, error }) => log.error('Store is down', { store, error: String(error) })),
    events.on('storeUp', ({ store, seconds }) => log.info('Store is up again', { store, seconds })),
  ];
  return () => stops.forEach((stop) => stop());
}

/** The same target with a span around each time that it is asked. */
function traced(target: Target, kind: 'client' | 'internal', tracing: Tracing | undefined): Target {
  return tracing === undefined ? target : { ...target, forward: tracing.around(target.forward, kind) };
}
