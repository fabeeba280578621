import type { Provider } from '../core/provider.js';
import { ConfigError } from '../gateway/config/configError.js';
import { readConfigText } from '../gateway/config/configText.js';
import { GatewayConfig } from '../gateway/config/gatewayConfig.js';
import { createGateway } from '../gateway/create.js';
import type { CreateOptions } from '../gateway/createOptions.js';
import type { Gateway } from '../gateway/gateway.js';
import { adminListenerOf } from '../gateway/own/adminListener.js';
import type { Io } from './io.js';
import type { Started } from './serveBanner.js';
import type { ServePlan } from './servePlan.js';

/** A configuration as text, or `undefined` where the environment says it all. */
export type ConfigText = string | undefined;

/** What a process of several is given by the others. */
export interface Together {
  readonly provider: Provider | undefined;
  readonly metricsText: () => Promise<string>;
  /** The token that all of them made up together, for the case that the configuration names none. */
  readonly adminToken: string;
}

/** A gateway that listens. */
export interface Serving {
  readonly gateway: Gateway;
  readonly config: GatewayConfig;
  readonly url: string;
}

/** The text of the file. What the environment says is read from there each time. Throws `ConfigError`. */
export function textOf({ file, path }: ServePlan): ConfigText {
  return file === undefined || path === undefined ? undefined : readConfigText(path, file);
}

/** The configuration of a plan. Throws `ConfigError` for what is wrong, and where there is nothing to forward to. */
export function configOf(plan: ServePlan, text: ConfigText, env: Io['env']): GatewayConfig {
  const { namespace, file: source } = plan;
  const config =
    text === undefined
      ? GatewayConfig.fromEnv(env, { namespace })
      : GatewayConfig.fromText(text, { namespace, env, ...(source !== undefined && { source }) });
  if (plan.logLevel !== undefined) config.resolved.log.level = plan.logLevel;
  if (config.resolved.servers !== undefined || Object.keys(config.resolved.upstreams).length > 0) return config;
  const message = `there is nothing to forward to; name \`servers\` (or \`upstreams\`) below \`${namespace}\``;
  throw new ConfigError([{ path: '', line: 0, column: 0, message }], config.source);
}

/** Builds the gateway and opens its port. What was opened is closed again when that fails. */
export async function startServing(plan: ServePlan, config: GatewayConfig, together?: Together): Promise<Serving> {
  const options: CreateOptions = {
    ...(plan.path !== undefined && { configFile: plan.path }),
    ...(together && { metricsText: together.metricsText, adminToken: together.adminToken }),
    ...(together?.provider && { provider: together.provider }),
  };
  const gateway = await createGateway(config, options);
  try {
    const { url } = await gateway.listen({ port: plan.port, host: plan.host });
    return { gateway, config, url };
  } catch (error) {
    await gateway.close({ grace: 0 });
    throw error;
  }
}

/** Takes over a new text. Rejects, after the gateway has logged and counted it, when the text is bad: nothing has changed then. */
export async function reloadServing({ gateway }: Serving, plan: ServePlan, text: () => ConfigText, env: Io['env']): Promise<void> {
  let config: GatewayConfig;
  try {
    config = configOf(plan, text(), env);
  } catch (error) {
    gateway.metrics.reloaded(false);
    gateway.log.error(`Configuration not reloaded: ${(error as Error).message}`);
    throw error;
  }
  await gateway.reload(config);
}

/** What a banner says about it. */
export function about({ gateway, config, url }: Serving): Omit<Started, 'sample'> {
  const { admin, store } = config.resolved;
  return {
    url,
    redis: store.redis !== undefined,
    own: admin.paths ? ownOrigin(admin.listener, url) : undefined,
    adminToken: gateway.adminToken,
  };
}

function ownOrigin(listener: string | undefined, url: string): string {
  if (listener === undefined) return url;
  const { host, port } = adminListenerOf(listener);
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Why a gateway did not start, for a person at a terminal. */
export function whyNot(error: unknown, { port, host }: ServePlan): string {
  if (error instanceof ConfigError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EACCES':
      return `premier serve: no right to listen on port ${port}; take one above 1023 with --port`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `premier serve: ${host} is no address of this machine; take another one with --host`;
    default:
      return `premier serve: ${message.replace(/^listen: /, '')}${message.includes(`port ${port} of`) ? ' with --port' : ''}`;
  }
}
