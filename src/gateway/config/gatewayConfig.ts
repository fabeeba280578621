import { type Checked, check } from './check.js';
import type { ConfigIssue } from './configError.js';
import { isMapping } from './configPath.js';
import { readConfigText } from './configText.js';
import { type EnvOverlay, overlay, readEnvironment } from './environment.js';
import type { GatewayOptions } from './gatewayOptions.js';
import { configSchema, type ResolvedConfig } from './schema.js';
import { objectSource, readSource, type Source } from './source.js';
import { toSnake } from './spelling.js';
import type { Variables } from './variables.js';

/** Where a configuration stands and how it is read. */
export interface ReadOptions {
  /** The key below which it stands; dots go deeper, as in `tool.premier`. `premier` by default. */
  readonly namespace?: string;
  /** Whether the gateway follows changes of the file. */
  readonly watch?: boolean;
  /** What `${NAME}` reads. `process.env` by default. */
  readonly env?: Variables;
}

/** Options of a text that does not come from a file of ours. */
export interface TextOptions extends ReadOptions {
  /** The name of the text in errors. */
  readonly source?: string;
}

interface Given {
  readonly checked: Checked;
  readonly namespace: string;
  readonly watch?: boolean;
  readonly source?: string | undefined;
  readonly text?: string | undefined;
  readonly reread?: () => GatewayConfig;
}

/** A gateway's configuration, read and checked. */
export class GatewayConfig {
  /** The configuration with its defaults; spans in milliseconds. */
  readonly resolved: ResolvedConfig;
  /** The file it was read from. */
  readonly source: string | undefined;
  /** The text of that file. */
  readonly text: string | undefined;
  /** The key below which it stood. */
  readonly namespace: string;
  /** Whether the gateway is to follow changes of the file. */
  readonly watch: boolean;
  /** What is right but may not be what was meant. */
  readonly warnings: readonly ConfigIssue[];
  readonly #reread: (() => GatewayConfig) | undefined;

  private constructor({ checked, namespace, watch = false, source, text, reread }: Given) {
    this.resolved = checked.resolved;
    this.warnings = checked.warnings;
    this.source = source;
    this.text = text;
    this.namespace = namespace;
    this.watch = watch;
    this.#reread = reread;
  }

  /** Reads a YAML file. Throws `ConfigError` with all that is wrong with it. */
  static fromFile(path: string, options: ReadOptions = {}): GatewayConfig {
    return GatewayConfig.#ofText(readConfigText(path), path, options, () => GatewayConfig.fromFile(path, options));
  }

  /** Reads a YAML text, such as one that an editor holds. Throws `ConfigError`. */
  static fromText(text: string, { source, ...options }: TextOptions = {}): GatewayConfig {
    return GatewayConfig.#ofText(text, source, options);
  }

  /** Takes an object, with or without the namespace around it. Throws `ConfigError` that names paths. */
  static fromObject(
    options: GatewayOptions | Readonly<Record<string, unknown>>,
    { namespace = 'premier' }: ReadOptions = {},
  ): GatewayConfig {
    const issues: ConfigIssue[] = [];
    const value = toSnake(configSchema, sectionOf(options, namespace), '', issues);
    const checked = check(objectSource(value, issues), { file: undefined, namespace });
    return new GatewayConfig({ checked, namespace });
  }

  /**
   * Reads the environment: `PREMIER_CONFIG_FILE`, `PREMIER_KEYSPACE`, `PREMIER_REDIS_URL` or `REDIS_URL`, `PREMIER_LOG_LEVEL` or
   * `LOG_LEVEL`, and what gateways before this one read. What begins with `PREMIER_` wins over the file, the rest fills it up.
   */
  static fromEnv(env: Variables = process.env, options: ReadOptions = {}): GatewayConfig {
    const { namespace = 'premier', watch = false } = options;
    const read = readEnvironment(env);
    const path = read.file;
    const text = path === undefined ? undefined : readConfigText(path);
    const source = text === undefined ? objectSource({}) : readSource(text, namespace, env);
    const checked = check(withOverlay(source, read), { file: path, namespace });
    const reread = (): GatewayConfig => GatewayConfig.fromEnv(env, options);
    return new GatewayConfig({
      checked: { ...checked, warnings: [...read.warnings, ...checked.warnings] },
      namespace,
      watch,
      source: path,
      text,
      reread,
    });
  }

  /** Reads the same file again; a configuration without a file is its own. */
  reread(): GatewayConfig {
    return this.#reread?.() ?? this;
  }

  static #ofText(text: string, source: string | undefined, options: ReadOptions, reread?: () => GatewayConfig): GatewayConfig {
    const { namespace = 'premier', watch = false, env = process.env } = options;
    const checked = check(readSource(text, namespace, env), { file: source, namespace });
    return new GatewayConfig({ checked, namespace, watch, source, text, ...(reread && { reread }) });
  }
}

function sectionOf(options: unknown, namespace: string): unknown {
  let value = options;
  for (const key of namespace.split('.')) {
    if (!isMapping(value) || !Object.hasOwn(value, key))
      return isMapping(options) && Object.hasOwn(options, namespace) ? options[namespace] : options;
    value = value[key];
  }
  return value;
}

function withOverlay(source: Source, read: EnvOverlay): Source {
  const issues = [...source.issues, ...read.issues];
  return source.broken ? { ...source, issues } : { ...source, issues, value: overlay(source.value, read) };
}
