import { z } from 'zod';
import { type FeatureName, featureSchemas } from '../../src/gateway/config/featureSchemas.js';
import { featureOrder } from '../../src/gateway/features/index.js';
import { jsonSchema } from '../../src/gateway/config/jsonSchema.js';
import { notYet } from '../../src/gateway/config/notYet.js';

/** A node of the JSON Schema, as far as it is read here. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly $ref?: string;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Node | boolean;
}

/** A mapping with a table of its own. */
interface Section {
  readonly heading: string;
  readonly node: Node;
}

/** Where the rendering stands in the page. */
export const referenceMarks: readonly [begin: string, end: string] = [
  '<!-- generated from the schema: begin -->',
  '<!-- generated from the schema: end -->',
];

/** The tables of every key of a gateway's file, made of its schema: what the page about configuration has to say. */
export function renderReference(): string {
  const root = ((jsonSchema() as Node).properties as Record<string, Node>)['premier'] as Node;
  const { upstreams, admin, log, limits, store, paths, ...rest } = root.properties as Record<string, Node>;
  const pool = (upstreams as Node).additionalProperties as Node;
  const path = itemsOf(paths as Node) as Node;
  const features = path.properties?.['features'];
  const sections: Section[] = [
    { heading: '## Top level', node: root },
    { heading: '## servers', node: mappingIn(itemsOf(rest['servers'] as Node) as Node) as Node },
    { heading: '## upstreams', node: pool },
    ...inside('upstreams.NAME', pool, ['balance', 'sticky', 'health', 'tls']),
    { heading: '## store', node: store as Node },
    ...inside('store', store as Node, ['redis']),
    { heading: '## paths', node: path },
    { heading: '## admin', node: admin as Node },
    { heading: '### admin.tokens', node: mappingIn(itemsOf((admin as Node).properties?.['tokens'] as Node) as Node) as Node },
    { heading: '## log', node: log as Node },
    { heading: '## limits', node: limits as Node },
  ];
  const known = mappingIn(features as Node)?.properties ?? {};
  const ofFeatures = featureOrder.filter((name) => !notYet.some((keys) => keys.length === 1 && keys[0] === name));
  return [
    ...sections.map(({ heading, node }) => `${heading}\n\n${tableOf(node, keysOf(heading))}`),
    '## features\n\nOf `paths` and of `default_features`, in the order of the pipeline, outermost first.',
    ...ofFeatures.map((name) => featureSection(name, known[name] as Node)),
  ].join('\n\n');
}

/** Keys that the schema knows and whose work comes in a later version. */
function keysOf(heading: string): readonly string[] {
  const [, feature] = /^### (\w+)$/.exec(heading) ?? [];
  return notYet.filter(([first, second]) => first === feature && second !== undefined).map(([, second]) => second as string);
}

function featureSection(name: FeatureName, node: Node): string {
  const heading = `### ${name}`;
  const mapping = mappingIn(node) as Node;
  const blocks = [
    `${heading}\n\n${sentence(node.description)} [More](features/${name}.md).\n\n${tableOf(mapping, keysOf(heading), presetsOf(name))}`,
    ...Object.entries(mapping.properties ?? {})
      .filter(([key]) => !keysOf(heading).includes(key))
      .flatMap(([key, inner]) => nested(`${name}.${key}`, inner)),
  ];
  return blocks.join('\n\n');
}

/** Defaults of lists, which the JSON Schema leaves out where a value is changed while it is read. */
type Presets = Readonly<Record<string, string>>;

function presetsOf(name: FeatureName): Presets {
  const schema: unknown = featureSchemas[name];
  if (!(schema instanceof z.ZodObject)) return {};
  const lists = Object.entries(schema.shape).map(([key, inner]) => [
    key,
    inner instanceof z.ZodDefault ? inner.def.defaultValue : undefined,
  ]);
  return Object.fromEntries(lists.filter(([, value]) => Array.isArray(value)).map(([key, value]) => [key, listed(value as unknown[])]));
}

function listed(values: readonly unknown[]): string {
  return values.map((value) => `\`${String(value)}\``).join(', ');
}

/** The tables of what lies inside a key of a feature. */
function nested(name: string, node: Node): string[] {
  const list = node.items === undefined ? undefined : mappingIn(node.items);
  const named = typeof node.additionalProperties === 'object' ? mappingIn(node.additionalProperties) : undefined;
  const mapping = mappingIn(node) ?? list ?? named;
  if (mapping === undefined) return [];
  return [`#### ${name}\n\n${tableOf(mapping, [])}`];
}

function inside(name: string, node: Node, keys: readonly string[]): Section[] {
  return keys.map((key) => ({ heading: `### ${name}.${key}`, node: mappingIn(node.properties?.[key] as Node) as Node }));
}

/** The mapping that a node is, or may be beside a short form. */
function mappingIn(node: Node): Node | undefined {
  if (node.properties !== undefined) return node;
  return node.anyOf?.map(mappingIn).find((found) => found !== undefined);
}

/** What a list holds, where the node is or may be one. */
function itemsOf(node: Node): Node | undefined {
  return node.items ?? node.anyOf?.map(itemsOf).find((found) => found !== undefined);
}

function tableOf({ properties = {}, required = [] }: Node, without: readonly string[], presets: Presets = {}): string {
  const rows = Object.entries(properties)
    .filter(([key]) => !without.includes(key))
    .map(([key, node]) => [
      `\`${key}\``,
      typeOf(node),
      defaultOf(node, required.includes(key)) || presets[key] || '',
      sentence(node.description),
    ]);
  return aligned([['Key', 'Value', 'Default', 'Meaning'], ...rows]);
}

/** A table as the formatter writes it. */
function aligned(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] as string).length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, i) => cell.padEnd(widths[i] as number)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.slice(1).map(line)].join('\n');
}

function typeOf(node: Node): string {
  const { anyOf, type, items, additionalProperties, properties, minimum, maximum } = node;
  if (node.$ref !== undefined) return node.$ref.endsWith('/span') ? 'span' : '';
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (type === 'null') return '';
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeOf).filter((one) => one !== ''))].join(', or ');
  if (properties !== undefined) return 'mapping';
  if (type === 'array') return `list of ${plural(typeOf(items as Node))}`;
  if (type === 'object') return typeof additionalProperties === 'object' ? `names to ${plural(typeOf(additionalProperties))}` : 'mapping';
  if (type === 'integer' || type === 'number') return `${type === 'integer' ? 'whole number' : 'number'}${range(minimum, maximum)}`;
  return { string: 'text', boolean: 'true or false' }[type ?? ''] ?? 'anything';
}

function range(minimum: number | undefined, maximum: number | undefined): string {
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER) return isBounded ? `, ${minimum} to ${maximum}` : `, from ${minimum}`;
  return '';
}

function plural(type: string): string {
  if (type === 'text, or number, or true or false') return 'texts';
  if (type === 'text' || type === 'mapping' || type === 'span') return `${type}s`;
  if (type.startsWith('whole number')) return type.replace('whole number', 'whole numbers');
  return type.replace(/^text, or mapping$/, 'texts or mappings').replaceAll(', or ', ' or ');
}

function defaultOf(node: Node, required: boolean): string {
  if (required) return 'required';
  const { default: given } = node;
  if (given === undefined || (typeof given === 'object' && given !== null && Object.keys(given).length === 0)) return '';
  return Array.isArray(given) ? listed(given) : `\`${JSON.stringify(given).replaceAll('"', '')}\``;
}

function sentence(text: string | undefined): string {
  return (text ?? '').replaceAll('|', String.raw`\|`);
}
