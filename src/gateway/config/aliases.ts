import { type Alias, type Document, isAlias, isMap, isScalar, type Node, visit } from 'yaml';

/** What the aliases of a document stand for, and the keys that stand twice. */
export interface Links {
  readonly target: ReadonlyMap<Alias, Node>;
  readonly duplicates: readonly { readonly key: string; readonly offset: number }[];
}

/** Walks once through a document: an alias means the last anchor of its name before it (YAML 1.2, 7.1). */
export function linkAliases(document: Document): Links {
  const anchors = new Map<string, Node>();
  const target = new Map<Alias, Node>();
  const duplicates: { key: string; offset: number }[] = [];
  visit(document, (_, node) => {
    if (node === null) return;
    if (isAlias(node)) {
      const meant = anchors.get(node.source);
      if (meant) target.set(node, meant);
      return;
    }
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor !== undefined) anchors.set(anchor, node as Node);
    if (!isMap(node)) return;
    const seen = new Set<unknown>();
    for (const { key } of node.items) {
      if (!isScalar(key)) continue;
      if (seen.has(key.value) && key.value !== '<<') duplicates.push({ key: String(key.value), offset: key.range?.[0] ?? 0 });
      seen.add(key.value);
    }
  });
  return { target, duplicates };
}
