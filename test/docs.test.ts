import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as errors from '../src/core/errors.js';
import { eventNames } from '../src/core/events.js';
import * as policies from '../src/policies/index.js';
import { anchors, codeWords, headings, links, type Page, readPages, resolve, section, table } from './support/docs.js';
import { errorsOf, isFor, type Mode } from './support/docsCompile.js';
import { complaints, type Definition } from './support/docsOptions.js';

const pages = readPages();
const pageAt = (path: string): Page => {
  const page = pages.find((one) => one.path === path);
  assert.ok(page, `${path} is missing: write it`);
  return page;
};
const none = (found: readonly string[], what: string): void => assert.ok(found.length === 0, `${what}:\n${found.join('\n')}`);

describe('code in the documentation', () => {
  const fences = pages.flatMap((page) => page.fences);

  for (const mode of ['standard', 'legacy'] as const satisfies readonly Mode[]) {
    test(`compiles, ${mode} decorators`, () => {
      none(
        errorsOf(
          fences.filter((fence) => isFor(mode, fence)),
          mode,
        ),
        'mend these snippets, or the types that they are right about',
      );
    });
  }

  test('says in which language it is', () => {
    const odd = fences.filter(
      ({ info: [language, which] }) => !language || (language !== 'yaml' && which !== undefined && which !== 'legacy' && which !== 'both'),
    );
    none(
      odd.map(({ page, line }) => `${page}:${line - 1}`),
      'begin these fences with ```ts, ```ts legacy, ```ts both, ```yaml, ```sh, ```json …',
    );
  });
});

describe('policy pages', () => {
  const definitions: Readonly<Record<string, Definition>> = policies;
  const names = Object.keys(definitions);
  const expected = ['## When', '## Use', '## Options', '## Throws', '## Emits', '## Goes well with', "## Don't"];

  test('there is one for each policy and one for pipe, and no other', () => {
    const found = pages.map(({ path }) => path).filter((path) => path.startsWith('docs/policies/'));
    assert.deepEqual(found.toSorted(), [...names, 'pipe'].map((name) => `docs/policies/${name}.md`).toSorted());
  });

  for (const name of [...names, 'pipe']) {
    test(`${name} has all headings, in order`, () => {
      const page = pageAt(`docs/policies/${name}.md`);
      assert.equal(headings(page)[0], `# ${name}`);
      assert.deepEqual(
        headings(page).filter((heading) => heading.startsWith('## ')),
        expected,
        `${page.path}: mend the headings`,
      );
    });
  }

  for (const [name, definition] of Object.entries(definitions)) {
    test(`${name} lists its options with their defaults`, () => {
      const page = pageAt(`docs/policies/${name}.md`);
      none(complaints(definition, section(page, '## Options')), `${page.path}: mend the table of options`);
    });
  }

  test('name errors and events that exist', () => {
    const unknown = names.flatMap((name) => {
      const page = pageAt(`docs/policies/${name}.md`);
      const thrown = codeWords(section(page, '## Throws').join('\n')).filter((word) => /^[A-Z]\w*Error$/.test(word));
      const emitted = table(section(page, '## Emits')).flatMap(([event]) => codeWords(event ?? ''));
      return [
        ...thrown
          .filter((word) => !Object.hasOwn(errors, word) && word !== 'AbortError')
          .map((word) => `${page.path}: there is no error ${word}`),
        ...emitted
          .filter((word) => !(eventNames as readonly string[]).includes(word))
          .map((word) => `${page.path}: there is no event ${word}`),
      ];
    });
    none(unknown, 'mend these names');
  });
});

describe('docs/reference/errors.md', () => {
  const classes = Object.values(errors).filter((value) => typeof value === 'function' && value.prototype instanceof Error) as ErrorClass[];
  type ErrorClass = (new (...args: never[]) => errors.PremierError) & { readonly code: string };
  const page = pageAt('docs/reference/errors.md');

  test('lists every error class with its code and its status, and no other', () => {
    const listed = table(section(page, '# Errors')).map(([name, code, status]) => [...codeWords(`${name} ${code}`), Number(status)]);
    const actual = classes.map((one) => [one.name, one.code, one.prototype.statusCode]);
    assert.deepEqual(listed.toSorted(), actual.toSorted(), `${page.path}: mend the table`);
  });

  test('has a section for each class, which names its fields', () => {
    const missing = classes.flatMap((one) => {
      const known = new Set(codeWords(section(page, `## ${one.name}`).join('\n')));
      if (known.size === 0) return [`## ${one.name}`];
      return fieldsOf(one)
        .filter((field) => !known.has(field))
        .map((field) => `## ${one.name}: \`${field}\``);
    });
    none(missing, `${page.path}: write of these`);
  });

  /** The fields that a class adds to the one above it. */
  function fieldsOf(one: ErrorClass): string[] {
    const above = Object.getPrototypeOf(one) as ErrorClass;
    const inherited = new Set([...own(above), 'name', 'constructor', 'statusCode']);
    return own(one).filter((field) => !inherited.has(field));
  }

  function own(one: ErrorClass): string[] {
    const instance: object = Reflect.construct(one, ['text', 1, 1, 1, 'text']);
    const fields = [...Object.getOwnPropertyNames(instance), ...Object.getOwnPropertyNames(one.prototype)];
    return fields.filter((field) => field !== 'message' && field !== 'stack' && field !== 'cause');
  }
});

describe('docs/reference/events.md', () => {
  const page = pageAt('docs/reference/events.md');
  const rows = table(section(page, '# Events'));

  test('lists every event, in order, and no other', () => {
    assert.deepEqual(
      rows.map(([event]) => codeWords(event ?? '')[0]),
      eventNames,
      `${page.path}: mend the first column of the table`,
    );
  });

  test('names the fields of each event', () => {
    const source = readFileSync('src/core/events.ts', 'utf8');
    const details = [...source.matchAll(/^ {2}(\w+): \{ (readonly .*) \};$/gm)].map(([, event, fields]) => [
      event,
      [...(fields as string).matchAll(/readonly (\w+)\??:/g)].map(([, field]) => field),
    ]);
    const listed = rows.map(([event, fields]) => [codeWords(event ?? '')[0], codeWords(fields ?? '')]);
    assert.deepEqual(listed, details, `${page.path}: mend the second column of the table`);
  });

  test('says who emits each, as the pages of the policies do', () => {
    for (const name of Object.keys(policies)) {
      const here = rows.filter(([, , by]) => by?.includes(`(../policies/${name}.md)`)).map(([event]) => codeWords(event ?? '')[0]);
      const there = table(section(pageAt(`docs/policies/${name}.md`), '## Emits')).map(([event]) => codeWords(event ?? '')[0]);
      assert.deepEqual(there.toSorted(), here.toSorted(), `docs/policies/${name}.md and ${page.path} differ in what ${name} emits`);
    }
  });
});

describe('links', () => {
  test('lead to files and headings that exist', () => {
    const dead = pages.flatMap((page) =>
      links(page).flatMap(({ line, target }) => {
        const { file, anchor } = resolve(page, target);
        if (!existsSync(file)) return [`${page.path}:${line}: there is no ${file}`];
        const there = pages.find(({ path }) => path === file);
        if (anchor !== undefined && !(there && anchors(there).has(anchor)))
          return [`${page.path}:${line}: ${file} has no heading #${anchor}`];
        return [];
      }),
    );
    none(dead, 'mend these links');
  });

  test('lead from docs/index.md to every page', () => {
    const reached = new Set(['README.md', 'docs/index.md']);
    for (const path of reached) {
      const page = pages.find((one) => one.path === path);
      if (page && path !== 'README.md') for (const { target } of links(page)) reached.add(resolve(page, target).file);
    }
    none(
      pages.map(({ path }) => path).filter((path) => !reached.has(path)),
      'link to these pages',
    );
  });
});
