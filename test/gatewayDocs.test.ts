import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { run } from '../src/cli/mainCommands.js';
import { notYet } from '../src/gateway/config/notYet.js';
import { featureOrder } from '../src/gateway/features/index.js';
import { Problem, type ProblemType } from '../src/http/problem.js';
import { codeWords, headings, type Page, readPages, section, table } from './support/docs.js';
import { sampleFamilies } from './support/docsMetrics.js';
import { complaintAbout } from './support/docsYaml.js';
import { referenceMarks, renderReference } from './support/gatewayReference.js';

const pages = readPages();
const pageAt = (path: string): Page => {
  const page = pages.find((one) => one.path === path);
  assert.ok(page, `${path} is missing: write it`);
  return page;
};
const later = new Set(notYet.filter((keys) => keys.length === 1).map(([key]) => key as string));
const features = featureOrder.filter((name) => !later.has(name));

describe('docs/gateway/configuration.md', () => {
  test('holds the tables of the schema; UPDATE_DOCS=1 writes them anew', () => {
    const path = 'docs/gateway/configuration.md';
    const text = readFileSync(path, 'utf8');
    const [begin, end] = referenceMarks;
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    assert.ok(from !== -1 && to > from, `${path} needs the lines ${begin} and ${end}`);
    const wanted = `${text.slice(0, from)}${begin}\n\n${renderReference()}\n\n${text.slice(to)}`;
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, wanted);
    else assert.equal(text, wanted, `${path} does not say what the schema says; run the test with UPDATE_DOCS=1`);
  });
});

describe('pages of features', () => {
  const folder = 'docs/gateway/features/';
  const expected = ['## When', '## Use', '## Answers', '## Several processes', '## Seen in', "## Don't"];

  test('there is one for each feature that works, and no other', () => {
    const found = pages.map(({ path }) => path).filter((path) => path.startsWith(folder));
    assert.deepEqual(found.toSorted(), features.map((name) => `${folder}${name}.md`).toSorted());
  });

  for (const name of features) {
    test(`${name} has all headings, in order, and shows the feature in YAML and in code`, () => {
      const page = pageAt(`${folder}${name}.md`);
      assert.equal(headings(page)[0], `# ${name}`);
      assert.deepEqual(
        headings(page).filter((heading) => heading.startsWith('## ')),
        expected,
        `${page.path}: mend the headings`,
      );
      const shown = page.fences.filter(({ code }) => new RegExp(`\\b(${name}|${camel(name)}):`).test(code));
      for (const language of ['yaml', 'ts'])
        assert.ok(
          shown.some(({ info }) => info[0] === language),
          `${page.path}: show ${name} in a fence of ${language}`,
        );
    });
  }

  test('the index lists them in the order of the pipeline', () => {
    const listed = table(section(pageAt('docs/gateway/index.md'), '## Features')).map(([name]) => codeWords(name ?? '')[0]);
    assert.deepEqual(listed, features);
  });
});

describe('configurations in the documentation', () => {
  test('load as they stand', () => {
    const complaints = pages.flatMap(({ fences }) => fences.map(complaintAbout)).filter((complaint) => complaint !== undefined);
    assert.deepEqual(complaints, [], 'mend these fences');
  });
});

describe('docs/gateway/observability.md', () => {
  test('lists every metric with its type and its labels, and no other', async () => {
    const listed = table(section(pageAt('docs/gateway/observability.md'), '## Metrics')).map(([name, type, labels]) => [
      codeWords(name ?? '')[0],
      type,
      codeWords(labels ?? ''),
    ]);
    assert.deepEqual(listed.toSorted(), (await sampleFamilies()).toSorted());
  });
});

describe('docs/gateway/errors.md', () => {
  /** All of them: the compiler says when one is missing. */
  const types: Readonly<Record<ProblemType, true>> = {
    bad_request: true,
    unauthorized: true,
    forbidden: true,
    not_found: true,
    method_not_allowed: true,
    request_timeout: true,
    payload_too_large: true,
    uri_too_long: true,
    upgrade_required: true,
    rate_limited: true,
    headers_too_large: true,
    client_closed_request: true,
    internal_server_error: true,
    not_implemented: true,
    bad_gateway: true,
    service_unavailable: true,
    gateway_timeout: true,
    loop_detected: true,
  };

  test('lists every type with its status', () => {
    const listed = table(section(pageAt('docs/gateway/errors.md'), '## Types')).map(([type, status]) => [codeWords(type ?? '')[0], status]);
    const actual = (Object.keys(types) as ProblemType[]).map((type) => [type, String(new Problem(type).status)]);
    assert.deepEqual(listed.toSorted(), actual.toSorted());
  });
});

describe('docs/gateway/cli.md', () => {
  for (const command of ['serve', 'check', 'explain', 'init', 'import', 'schema']) {
    test(`says what \`premier ${command} --help\` says`, async () => {
      const lines: string[] = [];
      const io = {
        cwd: process.cwd(),
        env: {},
        out: (line: string) => void lines.push(line),
        err: (line: string) => void lines.push(line),
      };
      assert.equal(await run([command, '--help'], io), 0);
      const usages = pageAt('docs/gateway/cli.md').fences.map(({ code }) => code);
      assert.ok(usages.includes(lines.join('\n')), `docs/gateway/cli.md: put this in a fence:\n${lines.join('\n')}`);
    });
  }
});

describe('docs/reference/api.md', () => {
  test('lists every export of premier/gateway, and no other', () => {
    const source = readFileSync('src/gateway/index.ts', 'utf8');
    const exported = [...source.matchAll(/^export (?:type )?\{ ([^}]+) \}/gm)].flatMap(([, names]) =>
      (names as string).split(',').map((name) => name.trim().replace(/^type /, '')),
    );
    const rows = table(section(pageAt('docs/reference/api.md'), '## premier/gateway'));
    const listed = new Set(rows.flatMap(([names, meaning]) => codeWords(`${names} ${meaning}`)).map((word) => word.replace(/\(.*$/, '')));
    const missing = exported.filter((name) => !listed.has(name));
    assert.deepEqual(missing, [], 'write of these');
    const first = rows.flatMap(([names]) => codeWords(names ?? '')).map((word) => word.replace(/\(.*$/, ''));
    assert.deepEqual(
      first.filter((name) => !exported.includes(name)),
      [],
      'there are no such exports',
    );
  });
});

function camel(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
