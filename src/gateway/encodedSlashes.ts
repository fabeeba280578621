import type { ResolvedConfig } from './config/schema.js';

/** What an encoded slash is: without a word in the configuration it is refused where any path decides who may come in. */
export function encodedSlashesOf(config: ResolvedConfig): 'reject' | 'keep' {
  return config.encoded_slashes ?? (guards(config) ? 'reject' : 'keep');
}

function guards({ paths, default_features }: ResolvedConfig): boolean {
  return [...paths.map(({ features }) => features), default_features ?? {}].some(({ auth, access }) => auth ?? access);
}
