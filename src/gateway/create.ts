import { type Clock, systemClock } from '../core/clock.js';
import { OptionsError } from '../core/errors.js';
import { Events } from '../core/events.js';
import type { Runtime } from '../core/policy.js';
import type { Provider } from '../core/provider.js';
import { Names, States } from '../core/registry.js';
import { GatewayLog, type GatewayLogger } from '../observe/log.js';
import { Metrics } from '../observe/metrics.js';
import { Tracing } from '../observe/tracing.js';
import { circuitsOf, keepCircuits, rememberCircuits } from './circuits.js';
import { type App, appTarget } from './app.js';
import type { ResolvedConfig } from './config/schema.js';
import { CurrentConfig } from './currentConfig.js';
import { Gateway } from './gateway.js';
import { Generation } from './generation.js';
import type { Target } from './pipeline.js';
import { configOf, type GivenConfig, openStore, withServers } from './given.js';
import { Own } from './own/own.js';
import { Upstreams } from '../proxy/upstreams.js';
import { Targets } from './targets.js';
import { forwardToUpgrade } from './websocket/appTunnel.js';

/** What `createGateway` takes beside the configuration. */
export interface CreateOptions {
  /** Your own app: a node listener (Express, Fastify's `routing`), an object with `fetch` (Hono), or one with `callback()` (Koa). */
  readonly app?: App;
  /** The servers behind the gateway, in place of those of the configuration. */
  readonly servers?: readonly string[];
  /** Where state lives, in place of `store`. Who gives it closes it. */
  readonly provider?: Provider;
  /** @default the machine's clock */
  readonly clock?: Clock;
  /** Numbers from 0 up to 1. @default Math.random */
  readonly random?: () => number;
  /** Something in pino's way, or a stream that takes lines. @default standard output */
  readonly logger?: GatewayLogger;
  /** The file that `reload()` reads, where the configuration did not come from one. */
  readonly configFile?: string;
  /** What /metrics answers, where several processes are one gateway. */
  readonly metricsText?: () => Promise<string>;
  /** The token of an admin on this machine, where several processes are one gateway. Made by default, unless the configuration has tokens. */
  readonly adminToken?: string;
}

/** Builds a gateway. Rejects with `ConfigError` for a bad configuration, and with `OptionsError` where app and servers are both given. */
export async function createGateway(config: GivenConfig, options: CreateOptions = {}): Promise<Gateway> {
  const { clock = systemClock, random = Math.random, servers } = options;
  const first = configOf(config);
  const resolved = withServers(first, servers, options.app !== undefined);
  const tracing = await Tracing.load();
  const app = options.app === undefined ? undefined : traced(appTarget(options.app, forwardToUpgrade), 'internal', tracing);
  const provider = options.provider ?? (await openStore(resolved.store, clock));
  const names = new Names();
  const runtime: Runtime = {
    clock,
    random,
    events: new Events(() => clock.now()),
    provider,
    keyspace: resolved.keyspace,
    logger: undefined,
    scope: undefined,
    registry: new States(),
    claim: (...claimed) => names.claim(...claimed),
  };
  const log = new GatewayLog({ ...resolved.log, clock, logger: options.logger });
  const heard = circuitLines(runtime, log);
  const warn = (message: string, fields: Readonly<Record<string, unknown>>): void => log.warn(message, fields);
  const pools = new Upstreams({
    clock,
    random,
    onServerChange: (upstream, server, up) => log.warn(up ? 'Server is up' : 'Server is down', { upstream, server }),
  });
  const metrics = new Metrics({ events: runtime.events, circuits: () => circuitsOf(runtime), upstreams: () => pools.snapshot() });
  const generate = (of: ResolvedConfig, before: Generation | undefined): Generation => {
    const targets = new Targets(of, app, pools, runtime, (target) => traced(target, 'client', tracing));
    try {
      return new Generation({ config: of, runtime, targets, warn, before });
    } catch (error) {
      targets.release();
      throw error;
    }
  };
  const own: Own = new Own(resolved, {
    runtime,
    log,
    metrics,
    upstreams: pools,
    metricsText: options.metricsText,
    adminToken: options.adminToken,
    draining: () => gateway.draining,
    edge: () => gateway.generation.edge,
  });
  const current = new CurrentConfig(first, options.configFile, clock);
  const release = async (): Promise<void> => {
    current.close();
    heard();
    metrics.close();
    await Promise.all([own.close(), pools.close(0)]);
    if (options.provider === undefined) await provider.close();
    log.close();
  };
  const orRelease = async <T>(step: () => T | Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (error) {
      await release();
      throw error;
    }
  };
  const generation = await orRelease(() => generate(resolved, undefined));
  const gateway: Gateway = new Gateway({
    runtime,
    log,
    metrics,
    own,
    tracing,
    first: generation,
    async build(next, before) {
      const read = current.read(next);
      const wanted = withServers(read, servers, app !== undefined);
      const kept: readonly (keyof ResolvedConfig)[] = ['store', 'keyspace', 'log'];
      const changed = kept.find((key) => JSON.stringify(wanted[key]) !== JSON.stringify(before.config[key]));
      if (changed !== undefined) throw new OptionsError(`${changed}: a change of it needs a restart; everything else can be reloaded`);
      const restore = rememberCircuits(runtime);
      let made: Generation | undefined;
      try {
        made = generate(wanted, before);
        await own.configure(wanted);
      } catch (error) {
        made?.targets.release();
        restore();
        throw error;
      }
      keepCircuits(runtime, made.circuits);
      current.take(read);
      for (const { message } of read.warnings) log.warn(message);
      return made;
    },
    release,
  });
  for (const { message } of first.warnings) log.warn(message);
  await orRelease(() => own.open());
  current.follow(() => void gateway.reload().catch(() => undefined));
  return gateway;
}

/** Tells once that a circuit opens or the store is lost, not once for each request. */
function circuitLines({ events }: Runtime, log: GatewayLog): () => void {
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
