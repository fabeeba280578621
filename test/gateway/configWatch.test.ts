import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type FileWatch, watchFile } from '../../src/gateway/config/watch.js';

/** Every text that a watch tells, one after the other. */
class Told {
  readonly texts: string[] = [];
  #wake: (() => void) | undefined;

  readonly changed = (text: string): void => {
    this.texts.push(text);
    this.#wake?.();
  };

  async until(text: string): Promise<void> {
    while (this.texts.at(-1) !== text) await new Promise<void>((resolve) => void (this.#wake = resolve));
  }
}

describe('a watched file', { timeout: 60_000 }, () => {
  let folder = '';
  let watch: FileWatch | undefined;
  // The timers of a watch do not keep the process alive, but a test has to wait for them.
  let alive: NodeJS.Timeout | undefined;

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'premier-watch-')));
    alive = setInterval(() => undefined, 1000);
  });
  afterEach(() => {
    watch?.close();
    clearInterval(alive);
    rmSync(folder, { recursive: true });
  });

  const begin = (file: string, interval = 100_000): Told => {
    const told = new Told();
    watch = watchFile(file, told.changed, { interval });
    return told;
  };

  test('is told when it is written in place, and not when its text stays the same', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    const told = begin(file);
    await written(file, 'two', told);
    writeFileSync(file, 'two');
    writeFileSync(join(folder, 'other.yaml'), 'x');
    await written(file, 'three', told);
    assert.deepEqual(told.texts, ['two', 'three']);
  });

  test('is told when another file takes its name, and after it was gone', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    const told = begin(file);
    writeFileSync(`${file}.tmp`, 'two');
    renameSync(`${file}.tmp`, file);
    await told.until('two');
    unlinkSync(file);
    writeFileSync(`${file}.tmp`, 'three');
    renameSync(`${file}.tmp`, file);
    await told.until('three');
    assert.deepEqual(told.texts, ['two', 'three']);
  });

  test('is told when the symlink above it is swapped, as Kubernetes does', async () => {
    for (const [name, text] of [
      ['v1', 'one'],
      ['v2', 'two'],
    ] as const) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'a.yaml'), text);
    }
    symlinkSync('v1', join(folder, '..data'));
    symlinkSync('..data/a.yaml', join(folder, 'a.yaml'));
    const told = begin(join(folder, 'a.yaml'));
    symlinkSync('v2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await told.until('two');
    assert.deepEqual(told.texts, ['two']);
  });

  test('is polled where the directory says nothing, as for a file mounted alone', async () => {
    mkdirSync(join(folder, 'elsewhere'));
    mkdirSync(join(folder, 'here'));
    const target = join(folder, 'elsewhere', 'b.yaml');
    writeFileSync(target, 'one');
    symlinkSync(target, join(folder, 'here', 'a.yaml'));
    const told = begin(join(folder, 'here', 'a.yaml'), 20);
    await written(target, 'two', told);
    assert.deepEqual(told.texts, ['two']);
  });

  test('that is being written is told once, when it is whole', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    const told = begin(file);
    for (const part of ['t', 'tw', 'two', 'two and more']) {
      writeFileSync(file, part);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await told.until('two and more');
    assert.deepEqual(told.texts, ['two and more']);
  });

  test('may not be there at first, nor its directory', async () => {
    const file = join(folder, 'later', 'a.yaml');
    const told = begin(file, 20);
    mkdirSync(join(folder, 'later'));
    writeFileSync(file, 'one');
    await told.until('one');
  });

  test('is told at once when it is no longer what the caller had read', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'two');
    const told = new Told();
    watch = watchFile(file, told.changed, { interval: 100_000, known: 'one' });
    await told.until('two');
  });

  test('says nothing any more when the watch is closed', async () => {
    const file = join(folder, 'a.yaml');
    writeFileSync(file, 'one');
    const told = begin(file, 5);
    watch?.close();
    writeFileSync(file, 'two');
    const other = begin(file, 5);
    await written(file, 'three', other);
    assert.deepEqual(told.texts, []);
  });
});

async function written(file: string, text: string, told: Told): Promise<void> {
  writeFileSync(file, text);
  await told.until(text);
}
