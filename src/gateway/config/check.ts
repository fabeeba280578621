import { ConfigError, type ConfigIssue } from './configError.js';
import { type ConfigPath, grounded, pathText, valueAt } from './configPath.js';
import { doubtsOf } from './doubts.js';
import { notYet } from './notYet.js';
import { configSchema, type ResolvedConfig } from './schema.js';
import { objections } from './semantics.js';
import { shadowedPaths } from './shadowed.js';
import type { Source } from './source.js';
import { findings, plainWords, sentence } from './words.js';

/** A configuration that can be used, and what its author should know. */
export interface Checked {
  readonly resolved: ResolvedConfig;
  readonly warnings: readonly ConfigIssue[];
}

/** What stands around the configuration, for its errors: the file, the namespace. */
export interface Origin {
  readonly file: string | undefined;
  readonly namespace: string;
}

/** Checks a configuration and fills in its defaults. Throws `ConfigError` with all that is wrong. */
export function check(source: Source, { file, namespace }: Origin): Checked {
  if (source.broken) throw new ConfigError(inOrder(source.issues), file);
  const issues = [...source.issues];
  const told = new Set(issues.map(({ path }) => path));
  const root = source.value ?? {};
  const report = (path: ConfigPath, message: string, what: 'key' | 'value'): void => {
    issues.push({ path: pathText(path), ...source.locate(path, what), message });
  };
  for (const { path, message, what = 'value' } of objections(root)) report(path, `${nameOf(path, namespace)} ${message}`, what);

  const parsed = configSchema.safeParse(root, { error: plainWords });
  for (const finding of parsed.error?.issues.flatMap((issue) => findings(issue)) ?? []) {
    const { ofKey } = finding;
    // The value of a short form, as in `servers: [http://a]`, stands where the schema sees a mapping.
    const path = ofKey ? finding.path : grounded(root, finding.path);
    if (isNotYet(path) || path.some((_, i) => told.has(pathText(path.slice(0, i + 1))))) continue;
    const variable = source.variableOf(path);
    report(path, sentence(finding, valueAt(root, path), nameOf(path, namespace), variable), ofKey ? 'key' : 'value');
  }
  if (issues.length > 0 || !parsed.success) throw new ConfigError(inOrder(issues), file);
  return { resolved: parsed.data, warnings: inOrder([...shadows(parsed.data, source), ...doubts(parsed.data, source)]) };
}

function shadows({ paths }: ResolvedConfig, source: Source): ConfigIssue[] {
  return shadowedPaths(paths).map(([later, earlier]) => {
    const at: ConfigPath = ['paths', later, 'pattern'];
    const { line } = source.locate(['paths', earlier, 'pattern'], 'value');
    const message = `\`pattern\` can never match: \`${paths[earlier]?.pattern}\` ${line > 0 ? `in line ${line}` : `(paths[${earlier}])`} takes all of it`;
    return { path: pathText(at), ...source.locate(at, 'value'), message };
  });
}

function doubts(resolved: ResolvedConfig, source: Source): ConfigIssue[] {
  return doubtsOf(resolved).map(({ path, message }) => ({
    path: pathText(path),
    ...source.locate(path, path.at(-1) === 'pattern' ? 'value' : 'key'),
    message: `${nameOf(path, '')} ${message}`,
  }));
}

/** The name of a thing in a sentence: its key, with the places in lists that follow. */
function nameOf(path: ConfigPath, namespace: string): string {
  let from = path.length - 1;
  while (from > 0 && typeof path[from] === 'number') from--;
  return `\`${path.length === 0 ? namespace : `${path[from]}${pathText(path.slice(from + 1))}`}\``;
}

/** Whether a place is within something that comes in a later version, so that its details need not be told. */
function isNotYet(path: ConfigPath): boolean {
  const at = path.indexOf('features');
  const within = path[0] === 'default_features' ? path.slice(1) : path[0] === 'paths' && at === 2 ? path.slice(3) : [];
  return notYet.some((keys) => keys.every((key, i) => within[i] === key));
}

function inOrder(issues: readonly ConfigIssue[]): ConfigIssue[] {
  // What stands in an anchor is found once for each alias.
  const once = new Map(
    issues.map((issue) => [issue.line > 0 ? `${issue.line}:${issue.column}:${issue.message}` : `${issue.path}:${issue.message}`, issue]),
  );
  return [...once.values()].toSorted((a, b) => a.line - b.line || a.column - b.column);
}
