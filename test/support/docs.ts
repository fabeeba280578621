import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** A page of the documentation. `lines` holds the prose: what stands in a code fence is an empty line there. */
export interface Page {
  readonly path: string;
  readonly lines: readonly string[];
  readonly fences: readonly Fence[];
}

/** A code fence: what its first line says after the backticks, and where its code begins (from 1). */
export interface Fence {
  readonly page: string;
  readonly info: readonly string[];
  readonly line: number;
  readonly code: string;
  /** The file in `docs-preludes` that its code goes on from: `<!-- prelude: users -->` above it. */
  readonly prelude: string | undefined;
}

/** A link to another place in the repository. */
export interface Link {
  readonly line: number;
  readonly target: string;
}

/** README.md and every page below docs/. */
export function readPages(): Page[] {
  const below = readdirSync('docs', { recursive: true, encoding: 'utf8' });
  const paths = below.filter((file) => file.endsWith('.md')).map((file) => join('docs', file));
  return ['README.md', ...paths.toSorted()].map(readPage);
}

function readPage(path: string): Page {
  const lines = readFileSync(path, 'utf8').split('\n');
  const fences: Fence[] = [];
  for (let i = 0; i < lines.length; i++) {
    const opening = /^```(.*)$/.exec(lines[i] as string);
    if (!opening) continue;
    const closing = lines.indexOf('```', i + 1);
    if (closing === -1) throw new Error(`${path}:${i + 1} opens a code fence that is never closed`);
    const above = lines.findLastIndex((line, j) => j < i && line !== '');
    const prelude = /^<!-- prelude: ([\w-]+) -->$/.exec(lines[above] ?? '')?.[1];
    const info = (opening[1] as string).split(' ').filter((word) => word !== '');
    fences.push({ page: path, info, line: i + 2, code: lines.slice(i + 1, closing).join('\n'), prelude });
    lines.fill('', prelude === undefined ? i : above, closing + 1);
  }
  return { path, lines, fences };
}

/** The headings of a page, with their hashes: `## Options`. */
export function headings(page: Page): string[] {
  return page.lines.filter((line) => /^#{1,6} /.test(line));
}

/** The lines below a heading, up to the next one of its level or above. */
export function section(page: Page, heading: string): readonly string[] {
  const start = page.lines.indexOf(heading);
  if (start === -1) return [];
  const level = heading.indexOf(' ');
  const end = page.lines.findIndex((line, i) => i > start && /^#+ /.test(line) && line.indexOf(' ') <= level);
  return page.lines.slice(start + 1, end === -1 ? undefined : end);
}

/** The rows of the first table in some lines, cell by cell, without its head. */
export function table(lines: readonly string[]): string[][] {
  const start = lines.findIndex((line) => line.startsWith('|'));
  if (start === -1) return [];
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'));
  const rows = lines.slice(start, length === -1 ? undefined : start + length);
  return rows.slice(2).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The words in code style, `like this`. */
export function codeWords(markdown: string): string[] {
  return [...markdown.matchAll(/`([^`]+)`/g)].map(([, word]) => word as string);
}

/** The links of a page that lead into the repository. */
export function links(page: Page): Link[] {
  return page.lines.flatMap((line, i) =>
    [...line.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => ({ line: i + 1, target: target as string }))
      .filter(({ target }) => !/^[a-z]+:/.test(target)),
  );
}

/** The file that a link leads to, and the anchor in it. A link to a folder leads to its README.md or index.md, where it has one. */
export function resolve(page: Page, target: string): { readonly file: string; readonly anchor: string | undefined } {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page.path : normalize(join(dirname(page.path), path));
  if (!existsSync(file) || !statSync(file).isDirectory()) return { file, anchor };
  const entry = ['README.md', 'index.md'].map((name) => join(file, name)).find((candidate) => existsSync(candidate));
  return { file: entry ?? file, anchor };
}

/** The anchors of a page, as GitHub makes them of its headings. */
export function anchors(page: Page): Set<string> {
  const made = new Set<string>();
  for (const heading of headings(page)) {
    const text = heading.replace(/^#+ /, '').toLowerCase();
    const slug = text.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-');
    let anchor = slug;
    for (let again = 1; made.has(anchor); again++) anchor = `${slug}-${again}`;
    made.add(anchor);
  }
  return made;
}
