import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeArgs, KeyError } from 'premier';
import { randomOf } from '../src/testing/random.js';

class Money {
  constructor(readonly cents: number) {}
  toKey(): number {
    return this.cents;
  }
}
class Weight extends Money {}

const hole: unknown[] = [];
hole.length = 1;
const sparse: unknown[] = [];
sparse[0] = 1;
sparse[2] = 3;

/** Lists of arguments that are all different calls. */
const different: readonly (readonly unknown[])[] = [
  [],
  [''],
  ['a'],
  ['a', 'b'],
  ['a_b'],
  ['a,b'],
  ['ab'],
  [['a', 'b']],
  [['a'], 'b'],
  [1],
  ['1'],
  [1n],
  ['1n'],
  [new Number(1)],
  [true],
  ['true'],
  ['T'],
  [null],
  ['null'],
  ['N'],
  [undefined, 1],
  [null, 1],
  ['(1n'],
  ['('],
  ['#'],
  ['#a'],
  [NaN],
  [Infinity],
  [-Infinity],
  ['NaN'],
  [{}],
  [[]],
  ['{}'],
  [{ a: 1 }],
  [{ a: '1' }],
  [{ a: 1, b: undefined }],
  [{ a: 1, b: null }],
  [{ 'a:1': 1 }],
  [{ a: { b: 1 } }],
  [{ a: {}, b: 1 }],
  [[undefined]],
  [[null]],
  [hole],
  [sparse],
  [[1, undefined, 3]],
  [[1, 2, 3]],
  [new Date(0)],
  [new Date(1)],
  [new Date(NaN)],
  [new Date(0).toISOString()],
  [0],
  [new Map()],
  [new Set()],
  [new Map([['a', 1]])],
  [new Map([['a', 2]])],
  [new Map<unknown, unknown>([[1, 'a']])],
  [new Set(['a'])],
  [new Set(['a', 1])],
  [new Set([['a'], 1])],
  [/a/],
  [/a/g],
  ['/a/'],
  [new URL('https://a.example/')],
  ['https://a.example/'],
  [new URLSearchParams('a=1')],
  [new Uint8Array([1, 2])],
  [new Int8Array([1, 2])],
  [new Uint8Array([1])],
  [new Uint8Array([1, 2]).buffer],
  [[1, 2]],
  [{ 0: 1, 1: 2 }],
  [new Money(5)],
  [new Money(6)],
  [new Weight(5)],
  [5],
  ['b0'],
  ['aQ'],
  ['x'.repeat(600)],
  ['x'.repeat(601)],
  [`${'x'.repeat(600)}y`],
  ['é'],
  ['e\u0301'],
  ['\ud800'],
  ['\ud801'],
];

describe('the key of a call', () => {
  test('no two different calls meet', () => {
    const seen = new Map<string, readonly unknown[]>();
    for (const args of different) {
      const key = encodeArgs(args);
      assert.equal(seen.get(key), undefined, `${JSON.stringify(key)} stands for two calls`);
      seen.set(key, args);
    }
  });

  test('equal calls have one key, whatever the order of object keys and of sets', () => {
    const pairs: readonly (readonly [readonly unknown[], readonly unknown[]])[] = [
      [[{ a: 1, b: { c: 2, d: 3 } }], [{ b: { d: 3, c: 2 }, a: 1 }]],
      [[new Set([1, 2])], [new Set([2, 1])]],
      [
        [
          new Map([
            ['a', 1],
            ['b', 2],
          ]),
        ],
        [
          new Map([
            ['b', 2],
            ['a', 1],
          ]),
        ],
      ],
      [[1, undefined], [1]],
      [[undefined], []],
      [[-0], [0]],
      [[Object.create(null, { a: { value: 1, enumerable: true } })], [{ a: 1 }]],
    ];
    for (const [one, two] of pairs) assert.equal(encodeArgs(one), encodeArgs(two));
  });

  test('a text alone stands for itself; long keys are hashed', () => {
    assert.equal(encodeArgs(['user:1']), 'user:1');
    assert.equal(encodeArgs(['x'.repeat(512)]).length, 512);
    assert.match(encodeArgs(['x'.repeat(513)]), /^#[\w-]{43}$/);
    assert.match(encodeArgs([Array.from({ length: 500 }, (_, i) => i)]), /^#[\w-]{43}$/);
  });

  test('random texts in random shapes never meet', () => {
    const random = randomOf(1);
    const letters = ['a', '1', '"', ':', '(', '#', '{', '}', 'n', 'T', ''];
    const text = () => Array.from({ length: Math.floor(random() * 4) }, () => letters[Math.floor(random() * letters.length)]).join('');
    const shapes = [
      () => text(),
      () => [text(), text()],
      () => ({ [text()]: text() }),
      () => ({ [text()]: { [text()]: Number(text()) } }),
      () => new Map([[text(), text()]]),
      () => new Set([text(), text()]),
    ];
    const seen = new Map<string, string>();
    for (let i = 0; i < 20_000; i++) {
      const args = Array.from({ length: 1 + Math.floor(random() * 2) }, () =>
        (shapes[Math.floor(random() * shapes.length)] as () => unknown)(),
      );
      const told = JSON.stringify(args, (_key, value: unknown) =>
        value instanceof Map
          ? ['Map', ...value]
          : value instanceof Set
            ? ['Set', ...[...value].map(String).toSorted()]
            : Number.isNaN(value)
              ? 'NaN!'
              : value,
      );
      const key = encodeArgs(args);
      assert.equal(seen.get(key) ?? told, told);
      seen.set(key, told);
    }
  });

  test('what cannot be keyed is refused with its path', () => {
    const circle: { self?: unknown; list: unknown[] } = { list: [] };
    circle.list.push(circle);
    class Plain {
      x = 1;
    }
    for (const [args, path] of [
      [['a', () => 1], 'args[1]'],
      [[Symbol('s')], 'args[0]'],
      [[{ user: { conn: new Plain() } }], 'args[0].user.conn'],
      [[circle], 'args[0].list[0]'],
      [[[1, [Promise.resolve()]]], 'args[0][1][0]'],
      [[new Map([['k', () => 1]])], 'args[0].get(k)'],
      [[new Error('e')], 'args[0]'],
      [[new WeakMap()], 'args[0]'],
    ] as const) {
      assert.throws(
        () => encodeArgs(args),
        (error) => error instanceof KeyError && error.path === path && error.message.startsWith(path),
        path,
      );
    }
  });
});
