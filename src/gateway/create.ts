import { type Clock, systemClock } from '../core/clock.js';
import { Events } from '../core/events.js';
import type { Runtime } from '../core/policy.js';
import type { Provider } from '../core/provider.js';
import { Names, States } from '../core/registry.js';
import { Tracing } from '../observe/tracing.js';
import { appTarget } from './app.js';
import { Assembly } from './assembly.js';
import { checkCreateOptions, type CreateOptions } from './createOptions.js';
import type { Gateway } from './gateway.js';
import { configOf, type GivenConfig, openStore, withServers } from './given.js';
import { forwardToUpgrade } from './websocket/appTunnel.js';

/** Builds a gateway. Rejects with `ConfigError` for a bad configuration, and with `OptionsError` where app and servers are both given. */
export async function createGateway(given: GivenConfig, options: CreateOptions = {}): Promise<Gateway> {
  checkCreateOptions(options);
  const { clock = systemClock, random = Math.random } = options;
  const config = configOf(given);
  const resolved = withServers(config, options.servers, options.app !== undefined);
  const tracing = await Tracing.load();
  const app = options.app === undefined ? undefined : appTarget(options.app, forwardToUpgrade);
  const provider = options.provider ?? (await openStore(resolved.store, clock));
  const runtime = runtimeOf(provider, resolved.keyspace, clock, random);
  return new Assembly({ config, resolved, options, runtime, app, tracing }).gateway();
}

/** All that policies may touch, on one store. */
export function runtimeOf(provider: Provider, keyspace: string, clock: Clock, random: () => number): Runtime {
  const names = new Names();
  return {
    clock,
    random,
    events: new Events(() => clock.now()),
    provider,
    keyspace,
    logger: undefined,
    scope: undefined,
    registry: new States(),
    claim: (...claimed) => names.claim(...claimed),
  };
}
