import type { Clock } from '../core/clock.js';
import { OptionsError } from '../core/errors.js';
import type { Provider } from '../core/provider.js';
import { memory } from '../providers/memory.js';
import { GatewayConfig } from './config/gatewayConfig.js';
import type { GatewayOptions } from './config/gatewayOptions.js';
import type { ResolvedConfig } from './config/schema.js';

/** A configuration as it may be given: read already, as an object, or as the path of a file. */
export type GivenConfig = GatewayConfig | GatewayOptions | string;

/** Reads what was given. Throws `ConfigError`. */
export function configOf(given: GivenConfig): GatewayConfig {
  if (given instanceof GatewayConfig) return given;
  if (given === undefined || given === null || typeof (given as { then?: unknown }).then === 'function')
    throw new OptionsError(
      `createGateway: the configuration is ${given ? 'a promise; await it' : `${given}; give a file, an object or a GatewayConfig`}`,
    );
  return typeof given === 'string' ? GatewayConfig.fromFile(given) : GatewayConfig.fromObject(given);
}

/** The configuration with the servers that code gave. Throws `OptionsError` when there is an app as well. */
export function withServers(config: GatewayConfig, servers: readonly string[] | undefined, hasApp: boolean): ResolvedConfig {
  const { resolved } = config;
  if (hasApp && (servers ?? resolved.servers) !== undefined) {
    const where = servers === undefined ? `the configuration${config.source === undefined ? '' : ` ${config.source}`}` : undefined;
    const has = where === undefined ? 'the options have' : `${where} has`;
    throw new OptionsError(`createGateway: "app" and "servers" exclude each other, and ${has} servers; keep one of them`);
  }
  if (servers === undefined) return resolved;
  if (!Array.isArray(servers)) throw new OptionsError('createGateway: "servers" must be a list, such as ["http://backend:8000"]');
  if (servers.length === 0) throw new OptionsError('createGateway: "servers" is empty; name at least one server');
  return { ...resolved, servers: GatewayConfig.fromObject({ servers: [...servers] }).resolved.servers };
}

/** The memory of this process as a store, bounded: what cached answers and counters may take of it. */
export function ownMemory(clock: Clock): Provider {
  return memory({ clock, maxBytes: 256 * 1024 * 1024, maxEntries: 1_000_000 });
}

/** Opens the store that a configuration names. */
export async function openStore(store: ResolvedConfig['store'], clock: Clock): Promise<Provider> {
  if (store.redis === undefined) return ownMemory(clock);
  // Only here: who has no Redis needs no client for it.
  const { redis } = await import('../redis/index.js');
  return redis({ url: store.redis.url });
}
