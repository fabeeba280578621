import { isAlias, isMap, isScalar, LineCounter, parseDocument, type Document, type Node, type YAMLMap } from 'yaml';
import type { ConfigIssue } from './configError.js';
import { inside, nearest, pathText, type ConfigPath } from './configPath.js';
import { linkAliases, type Links } from './aliases.js';
import { NodeReader } from './nodeReader.js';
import type { Variables } from './variables.js';

/** A configuration as it was given: plain values, and where each of them stands. */
export interface Source {
  readonly value: unknown;
  readonly issues: readonly ConfigIssue[];
  /** Whether there is no use in looking at the value. */
  readonly broken: boolean;
  /** The line and column of a value, or of its key; of what is around it where it is missing. */
  locate(path: ConfigPath, what: 'key' | 'value'): Pick<ConfigIssue, 'line' | 'column'>;
  /** The variable that a value was read from. */
  variableOf(path: ConfigPath): string | undefined;
}

/** The largest file that is read. */
export const maxBytes: number = 1_048_576;

const nowhere = { line: 0, column: 0 } as const;

/** A configuration that was given in code, where nothing has a line. */
export function objectSource(value: unknown, issues: readonly ConfigIssue[] = []): Source {
  return { value, issues, broken: false, locate: () => nowhere, variableOf: () => undefined };
}

/** Reads the part of a YAML text that stands below a namespace. */
export function readSource(given: string, namespace: string, variables: Variables): Source {
  const issues: ConfigIssue[] = [];
  const counter = new LineCounter();
  const position = (offset: number): Pick<ConfigIssue, 'line' | 'column'> => {
    const { line, col } = counter.linePos(offset);
    return line === 0 ? { line: 1, column: 1 } : { line, column: col };
  };
  const complain = (offset: number, path: string, message: string): void => {
    issues.push({ path, ...position(offset), message });
  };
  const broken = (): Source => ({ ...objectSource(undefined, issues), broken: true });

  const text = given.startsWith('\uFEFF') ? given.slice(1) : given;
  if (Buffer.byteLength(text) > maxBytes) {
    complain(0, '', `the file is longer than ${maxBytes} bytes`);
    return broken();
  }
  // Unique keys are checked in `linkAliases`: the parser's own check takes quadratic time, which a large file could use to stop us.
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, stringKeys: true, uniqueKeys: false });
  for (const fault of faultsOf(document, text)) complain(fault.offset, '', fault.message);
  const links: Links = issues.length > 0 ? { target: new Map(), duplicates: [] } : linkAliases(document);
  for (const { key, offset } of links.duplicates) complain(offset, key, `the key \`${key}\` stands here twice; keep one of them`);
  if (issues.length > 0) return broken();

  const found = sectionOf(document, namespace, links);
  if ('fault' in found) {
    complain(found.offset, '', found.fault);
    return broken();
  }
  const reader = new NodeReader(links.target, variables, complain);
  const value = reader.read(found.node, '');
  return {
    value,
    issues,
    broken: reader.exhausted,
    locate(path, what) {
      for (let length = path.length; length >= 0; length--) {
        const place = reader.places.get(pathText(path.slice(0, length)));
        if (place) return position(length === path.length && what === 'key' ? place.key : place.value);
      }
      return position(0);
    },
    variableOf: (path) => reader.variables.get(pathText(path)),
  };
}

interface Fault {
  readonly offset: number;
  readonly message: string;
}

function faultsOf(document: Document.Parsed, text: string): Fault[] {
  // A tag that nobody knows is a warning to the parser; a value that is read otherwise than it was meant is a mistake to us.
  const faults = [...document.errors, ...document.warnings].map((error): Fault => {
    const offset = error.pos[0];
    if (error.code === 'MULTIPLE_DOCS') return { offset, message: 'a second document begins here; keep one' };
    if (error.code === 'RESOURCE_EXHAUSTION') return { offset, message: 'this is nested too deeply' };
    const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, text.indexOf('\n', offset) + 1 || undefined);
    const hint = hintFor(line);
    return { offset, message: `this is no YAML: ${(error.message.split('\n')[0] as string).replace(/[.:]$/, '')}${hint}` };
  });
  // A parser that has lost its way finds fault with all that follows.
  return document.errors.length > 0 ? faults.slice(0, 1) : faults;
}

function hintFor(line: string): string {
  if (line.includes('${')) return '; inside [ ] and { }, put "${…}" in quotes';
  return /[:[{,-] *\*/.test(line) ? '; what begins with `*` needs quotes: "*"' : '';
}

type Section = { readonly node: Node | null } | { readonly offset: number; readonly fault: string };

function sectionOf(document: Document.Parsed, namespace: string, links: Links): Section {
  let node: Node | null = document.contents;
  if (node === null) return { offset: 0, fault: `the file is empty; it needs \`${namespace}:\`` };
  let done = '';
  let around: YAMLMap | undefined;
  for (let left: string[] = namespace.split('.'); left.length > 0;) {
    if (isAlias(node)) node = links.target.get(node) ?? null;
    const offset = node?.range?.[0] ?? 0;
    if (!isMap(node)) return { offset, fault: `must be a mapping with \`${left[0]}:\`${done && ` below \`${done}\``}` };
    around = node;
    const whole = entry(node, left.join('.'));
    const pair = whole ?? entry(node, left[0] as string);
    if (!pair) return { offset, fault: notFound(node, left[0] as string, done) };
    done = inside(done, whole ? left.join('.') : (left[0] as string));
    left = whole ? [] : left.slice(1);
    node = pair.value as Node | null;
  }
  const empty = node === null || (isScalar(node) && node.value === null);
  const beside = empty ? around?.items.find(({ key }) => isScalar(key) && ours.has(String(key.value))) : undefined;
  if (isScalar(beside?.key))
    return {
      offset: beside.key.range?.[0] ?? 0,
      fault: `\`${String(beside.key.value)}\` stands beside \`${done}:\`, which is empty; indent all that belongs below it`,
    };
  return { node };
}

function entry(map: YAMLMap, name: string): { readonly value: unknown } | undefined {
  return map.items.find(({ key }) => isScalar(key) && key.value === name);
}

const ours: ReadonlySet<string> = new Set(['keyspace', 'paths', 'servers', 'upstreams', 'default_features']);
const others: ReadonlySet<string> = new Set(['router', 'services', 'rate_limiter']);

function notFound(map: YAMLMap, name: string, below: string): string {
  const keys = map.items.flatMap(({ key }) => (isScalar(key) ? [String(key.value)] : []));
  const missing = `there is no \`${name}:\`${below && ` below \`${below}\``}`;
  if (keys.some((key) => ours.has(key))) return `${missing}; put all this below \`${name}:\``;
  if (keys.some((key) => others.has(key))) return `${missing}; \`premier import FILE\` translates the file of another gateway`;
  const near = nearest(name, keys);
  return near === undefined ? `${missing} (found ${keys.map((key) => `\`${key}\``).join(', ')})` : `${missing}; is \`${near}\` misspelt?`;
}
