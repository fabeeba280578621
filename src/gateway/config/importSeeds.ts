import { Document, isMap, isScalar, parseDocument, visit } from 'yaml';
import { ConfigError } from './configError.js';
import { importRouter } from './importRouter.js';
import { importServices } from './importServices.js';
import { isMapping } from './configPath.js';
import type { Translation } from './translation.js';

/** Another gateway's file in our words, and what its owner should know. */
export interface Imported {
  readonly yaml: string;
  readonly notes: readonly string[];
}

/**
 * Translates the files of other gateways: `router.routes` with `rate_limiter`, `cache` and `circuit_breaker`, or `services` with `settings`.
 * A file of ours passes unchanged. Throws `ConfigError` on what it does not know.
 */
export function importYaml(text: string, file?: string): Imported {
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true, schema: 'core' });
  const [fault] = document.errors;
  if (fault) throw refusal(`this is no YAML: ${fault.message}`, file);
  if (isMap(document.contents) && document.contents.items.some(({ key }) => isScalar(key) && key.value === 'premier'))
    return { yaml: text, notes: ['this is a file of ours already; it was left as it is'] };
  const root = plain(document, file);
  const translation =
    isMapping(root) && (isMapping(root['router']) ? importRouter(root) : isMapping(root['services']) ? importServices(root) : undefined);
  if (!translation) throw refusal('this is no file that can be imported: it has neither `router` with `routes` nor `services`', file);
  return { yaml: written(translation), notes: translation.notes };
}

function plain(document: Document, file: string | undefined): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw refusal((error as Error).message, file);
  }
}

function refusal(message: string, file: string | undefined): ConfigError {
  return new ConfigError([{ path: '', line: 1, column: 1, message }], file ?? 'import');
}

function written({ config, comments, notes }: Translation): string {
  const document = new Document({ premier: config }, { aliasDuplicateObjects: true });
  document.commentBefore = [' Imported by `premier import`.', ...notes.map((note) => ` - ${note}`)].join('\n');
  for (const [key, comment] of Object.entries(comments)) {
    const section = document.get('premier');
    const pair = isMap(section) ? section.items.find((each) => isScalar(each.key) && each.key.value === key) : undefined;
    if (isScalar(pair?.key)) pair.key.commentBefore = ` ${comment}`;
  }
  // A plain `${NAME}` would take the type of what it holds.
  visit(document, {
    Scalar: (_, node) => void (typeof node.value === 'string' && node.value.includes('${') && (node.type = 'QUOTE_DOUBLE')),
  });
  return document.toString({ lineWidth: 0 });
}
