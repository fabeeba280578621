import { OptionsError } from '../../core/errors.js';

/** One mistake in a configuration, or one warning about it. */
export interface ConfigIssue {
  /** Where in the configuration: `paths[0].features.rate_limit.quota`. */
  readonly path: string;
  /** The line in the file, from 1; 0 where there is no file. */
  readonly line: number;
  /** The column in the line, from 1; 0 where there is no file. */
  readonly column: number;
  /** What is wrong, and what to do about it. */
  readonly message: string;
}

/** An issue as people read it: `file:line:column: message`, or `path: message` where there is no file. */
export function formatIssue(issue: ConfigIssue, source?: string): string {
  if (issue.line > 0) return `${source ?? 'config'}:${issue.line}:${issue.column}: ${issue.message}`;
  const place = [source, issue.path].filter((part) => part !== undefined && part !== '').join(': ');
  return place === '' ? issue.message : `${place}: ${issue.message}`;
}

/** A configuration is wrong: all that is wrong with it, at once. */
export class ConfigError extends OptionsError {
  /** Every mistake, in the order of the file. */
  readonly issues: readonly ConfigIssue[];
  /** The file, where there is one. */
  readonly source: string | undefined;

  constructor(issues: readonly ConfigIssue[], source?: string) {
    super(issues.map((issue) => formatIssue(issue, source)).join('\n'));
    this.issues = issues;
    this.source = source;
  }

  override get name(): string {
    return 'ConfigError';
  }
}
