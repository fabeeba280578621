import type { Clock } from '../core/clock.js';
import { OptionsError } from '../core/errors.js';
import type { Provider } from '../core/provider.js';
import type { GatewayLogger } from '../observe/log.js';
import type { App } from './app.js';
import { nearest } from './config/configPath.js';

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

const known: Readonly<Record<keyof CreateOptions, true>> = {
  app: true,
  servers: true,
  provider: true,
  clock: true,
  random: true,
  logger: true,
  configFile: true,
  metricsText: true,
  adminToken: true,
};

/** Refuses what would only show once requests come. Throws `OptionsError`. */
export function checkCreateOptions(options: CreateOptions): void {
  if (typeof options !== 'object' || options === null) throw wrong('the options must be an object, such as { app }');
  const names = Object.keys(known);
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const near = nearest(name, names);
    throw wrong(`unknown option "${name}"; ${near === undefined ? `known are ${names.join(', ')}` : `did you mean "${near}"?`}`);
  }
  // An import that went wrong, mostly. Without it everything would be 404.
  if (Object.hasOwn(options, 'app') && options.app === undefined) throw wrong('"app" is undefined; give an app, or leave it out');
  const { logger, provider } = options;
  if (logger !== undefined && !(hasMethod(logger, 'info') || hasMethod(logger, 'write')))
    throw wrong('"logger" must have info(), warn() and error() as pino has, or write() as a stream has');
  if (provider !== undefined && !hasMethod(provider, 'close')) throw wrong('"provider" must be one such as memory() or redis({ url })');
}

function wrong(message: string): OptionsError {
  return new OptionsError(`createGateway: ${message}`);
}

function hasMethod(given: unknown, name: string): boolean {
  return typeof given === 'object' && given !== null && typeof (given as Record<string, unknown>)[name] === 'function';
}
