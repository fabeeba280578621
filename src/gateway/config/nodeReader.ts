import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, parseDocument, type Scalar, type YAMLMap } from 'yaml';
import { inside } from './configPath.js';
import { expand, type Variables } from './variables.js';

/** Where a key and its value begin, as offsets into the text. */
interface Place {
  readonly key: number;
  readonly value: number;
}

/** Nodes that aliases may come to in all: a few lines of aliases to aliases would else fill the memory ("billion laughs"). */
const maxAliased = 250_000;
const maxDepth = 100;

/** Makes plain values of YAML nodes: puts variables in, follows aliases and merge keys, and remembers where everything stands. */
export class NodeReader {
  readonly places: Map<string, Place> = new Map();
  readonly variables: Map<string, string> = new Map();
  /** Whether reading was given up. */
  exhausted = false;
  readonly #targets: ReadonlyMap<Alias, Node>;
  readonly #env: Variables;
  readonly #complain: (offset: number, path: string, message: string) => void;
  readonly #open = new Set<Node>();
  #inAliases = 0;
  #aliased = 0;
  #depth = 0;

  constructor(targets: ReadonlyMap<Alias, Node>, env: Variables, complain: (offset: number, path: string, message: string) => void) {
    this.#targets = targets;
    this.#env = env;
    this.#complain = complain;
  }

  /** The plain value of a node that stands at `path`. */
  read(node: Node | null, path: string, key: number = node?.range?.[0] ?? 0): unknown {
    const offset = node?.range?.[0] ?? key;
    this.places.set(path, { key, value: offset });
    if (this.exhausted || node === null) return node === null ? null : undefined;
    if (this.#inAliases > 0 && ++this.#aliased > maxAliased) return this.#giveUp(offset, path, 'the aliases here come to too much');
    if (this.#depth >= maxDepth) return this.#giveUp(offset, path, 'this is nested too deeply');
    this.#depth++;
    try {
      if (isAlias(node)) return this.#alias(node, path, key);
      if (!isMap(node) && !isSeq(node)) return this.#scalar(node, path);
      this.#open.add(node);
      return isMap(node) ? this.#mapping(node, path) : node.items.map((item, i) => this.read(item as Node | null, inside(path, i)));
    } finally {
      this.#open.delete(node);
      this.#depth--;
    }
  }

  #alias(node: Alias, path: string, key: number): unknown {
    const target = this.#targets.get(node);
    const offset = node.range?.[0] ?? 0;
    if (!target) return this.#giveUp(offset, path, `there is no anchor \`&${node.source}\` before this alias`);
    if (this.#open.has(target)) return this.#giveUp(offset, path, `the alias \`*${node.source}\` stands inside of what it means`);
    this.#inAliases++;
    try {
      return this.read(target, path, key);
    } finally {
      this.#inAliases--;
    }
  }

  #mapping(node: YAMLMap, path: string): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    // What is written out wins over what is merged in, wherever it stands.
    for (const pair of node.items) if (isMerge(pair.key)) this.#merge(pair.value as Node | null, value, path);
    for (const { key, value: given } of node.items) {
      if (isMerge(key)) continue;
      const name = isScalar(key) ? String(key.value) : '';
      const offset = (key as Node).range?.[0] ?? 0;
      if (!isScalar(key)) this.#complain(offset, path, 'a key must be a text');
      else if (name === '__proto__') this.#complain(offset, path, 'the key `__proto__` is not allowed');
      else value[name] = this.read(given as Node | null, inside(path, name), offset);
    }
    return value;
  }

  #merge(node: Node | null, value: Record<string, unknown>, path: string): void {
    const meant = isAlias(node) ? this.#targets.get(node) : node;
    const sources = isSeq(meant) ? meant.items : [node];
    for (const source of sources.toReversed() as (Node | null)[]) {
      const place = this.places.get(path) as Place;
      const merged = this.read(source, path);
      this.places.set(path, place);
      if (typeof merged === 'object' && merged !== null && !Array.isArray(merged)) Object.assign(value, merged);
      else if (!this.exhausted) this.#complain(source?.range?.[0] ?? 0, path, 'only mappings can be merged with `<<`');
    }
  }

  #scalar(node: Scalar, path: string): unknown {
    const given = node.value;
    if (typeof given !== 'string') return given;
    const expanded = expand(given, this.#env);
    if (!expanded) return given;
    for (const fault of expanded.faults) this.#complain(node.range?.[0] ?? 0, path, fault);
    if (expanded.names.length > 0) this.variables.set(path, expanded.names.map((name) => `\${${name}}`).join(', '));
    return expanded.whole && node.type === 'PLAIN' ? typed(expanded.text) : expanded.text;
  }

  #giveUp(offset: number, path: string, message: string): undefined {
    if (!this.exhausted) this.#complain(offset, path, message);
    this.exhausted = true;
    return undefined;
  }
}

function isMerge(key: unknown): boolean {
  return isScalar(key) && key.value === '<<' && key.type === 'PLAIN';
}

/** Only these are looked at: a variable must not be able to bring in lists, mappings, tags or aliases. */
const plainScalar = /^(?:[-+]?[.\d][\w.+-]*|[-+]?\.inf|\.nan|true|false|null|~)$/i;

function typed(text: string): unknown {
  if (!plainScalar.test(text)) return text;
  const { contents } = parseDocument(text, { prettyErrors: false });
  return isScalar(contents) ? contents.value : text;
}
