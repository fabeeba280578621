import type { z } from 'zod';
import { type ConfigPath, isMapping, nearest } from './configPath.js';
import { featureSchemas } from './featureSchemas.js';

type RawIssue = z.core.$ZodRawIssue;
type Issue = z.core.$ZodIssue;

/** What the schema found at one place, in plain words. */
export interface Finding {
  readonly path: ConfigPath;
  /** What is wrong, to be said after the name of the thing. */
  readonly message: string;
  /** Whether it is about the key. */
  readonly ofKey: boolean;
  /** Words that were possible. */
  readonly choices: readonly string[];
  /** The type that was wanted. */
  readonly wanted: string | undefined;
}

const types: Readonly<Record<string, string>> = {
  string: 'must be a text',
  number: 'must be a number',
  int: 'must be a whole number',
  boolean: 'must be true or false',
  array: 'must be a list',
  object: 'must be a mapping',
  record: 'must be a mapping',
};

/** The keys that were known where a key was not. The issue's own list of keys is the only thing that zod hands through. */
const knownOf = new WeakMap<object, readonly string[]>();

/** Says a schema's complaint in plain words, where the schema has none of its own. Given to `safeParse` as `error`. */
export function plainWords(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return types[issue.expected] ?? `must be ${issue.expected}`;
    case 'unrecognized_keys': {
      const { shape } = issue.inst as unknown as z.ZodObject;
      knownOf.set(issue.keys, Object.keys(shape));
      return '';
    }
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((value) => `\`${String(value)}\``).join(', ')}`;
    case 'too_small':
      return issue.origin === 'array' ? 'must not be empty' : `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_format':
      return 'prefix' in issue ? `must begin with ${String(issue['prefix'])}` : 'is not well formed';
    default:
      return '';
  }
}

/** All findings of one issue: unions are taken apart, and each unknown key is one. */
export function findings(issue: Issue, above: ConfigPath = []): readonly Finding[] {
  const path = [...above, ...(issue.path as ConfigPath)];
  const one = { path, ofKey: false, choices: [], wanted: undefined };
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        ...one,
        path: [...path, key],
        ofKey: true,
        message: unknownKey(key, knownOf.get(issue.keys) ?? []),
      }));
    case 'invalid_key':
      return [{ ...one, ofKey: true, message: issue.issues[0]?.message ?? 'is not allowed' }];
    case 'invalid_union':
      return ofUnion(issue, path);
    case 'invalid_value':
      return [{ ...one, message: issue.message, choices: issue.values.map(String) }];
    case 'invalid_type':
      return [{ ...one, message: issue.message, wanted: issue.expected }];
    default:
      return [{ ...one, message: issue.message }];
  }
}

/** The alternative that has the right type is the one that was meant; where none has, all are told. */
function ofUnion(issue: Extract<Issue, { code: 'invalid_union' }>, path: ConfigPath): readonly Finding[] {
  const meant = issue.errors.find((branch) => !branch.some(isOfType));
  if (meant) return meant.flatMap((inner) => findings(inner, path));
  const inner = issue.errors.map((branch) => findings(branch.find(isOfType) as Issue, path)[0] as Finding);
  const wants = [...new Set(inner.map(({ message }) => message))];
  const message =
    issue.message === '' ? wants.map((want, i) => (i === 0 ? want : want.replace(/^must be /, ''))).join(', or ') : issue.message;
  const wanted = new Set(inner.map((finding) => finding.wanted));
  return [
    {
      path,
      ofKey: false,
      message,
      choices: inner.flatMap(({ choices }) => choices),
      wanted: wanted.size === 1 ? [...wanted][0] : undefined,
    },
  ];
}

function isOfType(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union');
}

function unknownKey(given: string, known: readonly string[]): string {
  const key = oneLine(given);
  const near = nearest(key, known);
  if (known.includes('features') && Object.hasOwn(featureSchemas, key)) return `unknown key \`${key}\`; it belongs below \`features\``;
  if (near !== undefined) return `unknown key \`${key}\`; did you mean \`${near}\`?`;
  return `unknown key \`${key}\`; known are ${known.map((name) => `\`${name}\``).join(', ')}`;
}

/** A finding as a whole sentence: the name of the thing, what it must be, what came, and a remedy. */
export function sentence(finding: Finding, value: unknown, name: string, variable: string | undefined): string {
  const { message, ofKey, wanted } = finding;
  if (message.startsWith('unknown key')) return message;
  if (ofKey) return `the key ${name} ${message}`;
  if (value === undefined && message.startsWith('must ')) return `${name} is missing; it ${message}`;
  if (!message.startsWith('must ')) return `${name} ${message}`;
  if (value === null && (wanted === 'object' || wanted === 'record')) return `${name} is empty; write \`{}\` for its defaults`;
  // What a variable holds may be a secret.
  const came = variable === undefined ? shown(value) : `the value of ${variable}`;
  const near = typeof value === 'string' && finding.choices.length > 0 ? nearest(value, finding.choices) : undefined;
  const remedy =
    near === undefined ? quotes(value, message.startsWith('must be seconds') ? 'number' : wanted, variable) : `; did you mean \`${near}\`?`;
  return `${name} ${message} (got ${came})${remedy}`;
}

function quotes(value: unknown, wanted: string | undefined, variable: string | undefined): string {
  if (wanted === 'string' && (typeof value === 'number' || typeof value === 'boolean')) return '; put it in quotes';
  if (typeof value !== 'string') return '';
  const numeric = (wanted === 'number' || wanted === 'int') && value.trim() !== '' && Number.isFinite(Number(value));
  if (numeric || (wanted === 'boolean' && /^(true|false)$/.test(value))) return '; leave out the quotes';
  if (wanted === 'boolean' && variable === undefined && /^(yes|on)$/i.test(value)) return '; write true';
  return wanted === 'boolean' && variable === undefined && /^(no|off)$/i.test(value) ? '; write false' : '';
}

/** A line break in a message would look like two messages. */
function oneLine(text: string): string {
  return /\p{Cc}/u.test(text) ? JSON.stringify(text).slice(1, -1) : text;
}

function shown(value: unknown): string {
  if (value === null) return 'nothing';
  if (typeof value === 'string') return `'${oneLine(value.length > 60 ? `${value.slice(0, 57)}…` : value)}'`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'function') return 'a function';
  return isMapping(value) ? 'a mapping' : String(value);
}
