import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { randomOf } from '../../src/testing/random.js';
import { again, bare, decode, encode, own } from '../support/codecCalls.js';
import { plain, sparse, typed } from '../support/codecValues.js';

class Socket {
  readonly port = 1;
}
const itself: { list: unknown[] } = { list: [] };
itself.list.push(itself);
const anonymous = new (class {})();
const selfCaused = new Error('e');
selfCaused.cause = { selfCaused };

function argumentsOf(_one: number): unknown {
  return arguments;
}

/** What cannot be stored, and how the message begins. */
const refused: readonly (readonly [unknown, string])[] = [
  [() => 1, 'value is a function'],
  [Symbol('s'), 'value is a symbol'],
  [{ user: { conn: new Socket() } }, 'value.user.conn is an instance of Socket'],
  [[1, ['a', new Socket()]], 'value[1][1] is an instance of Socket'],
  [{ 'odd key': { '': [undefined, new Socket()] } }, 'value["odd key"][""][1] is an instance of Socket'],
  [new Map([['k', { f: () => 1 }]]), 'value.get("k").f is a function'],
  [new Map([[[new Socket()], 1]]), 'value.keys()[0][0] is an instance of Socket'],
  [new Map([[{}, new Socket()]]), 'value.values()[0] is an instance of Socket'],
  [new Set([1, new Socket()]), 'value.values()[1] is an instance of Socket'],
  [new Error('e', { cause: { s: Symbol('s') } }), 'value.cause.s is a symbol'],
  [new AggregateError([new Error('e'), () => 1]), 'value.errors[1] is a function'],
  [own(new Error('e'), { request: new Socket() }), 'value.request is an instance of Socket'],
  [anonymous, 'value is an object with a prototype of its own'],
  [Object.create({ a: 1 }), 'value is an object with a prototype of its own'],
  [Object.create(bare({}) as object), 'value is an object with a prototype of its own'],
  [Promise.resolve(), 'value is an instance of Promise'],
  [new WeakMap(), 'value is an instance of WeakMap'],
  [new WeakRef({}), 'value is an instance of WeakRef'],
  [new ReadableStream(), 'value is an instance of ReadableStream'],
  [new SharedArrayBuffer(1), 'value is an instance of SharedArrayBuffer'],
  [new (class Stack extends Array {})(), 'value is an instance of Stack'],
  [new (class Ages extends Map {})(), 'value is an instance of Ages'],
  [new (class Day extends Date {})(), 'value is an instance of Day'],
  [new (class Bytes extends Uint8Array {})(1), 'value is an instance of Bytes'],
  [new (class Page extends URL {})('https://a.example'), 'value is an instance of Page'],
  [Object.create(Date.prototype), 'value is an instance of Date'],
  [itself, 'value.list[0] is a cycle'],
  [[selfCaused], 'value[0].cause.selfCaused is a cycle'],
  [{ [Symbol('s')]: 1 }, 'value is an object with symbols as keys'],
  [bare({ [Symbol('s')]: 1 }), 'value is an object with symbols as keys'],
  [own(new Error('e'), { [Symbol('s')]: 1 }), 'value is an error with symbols as keys'],
  [{ found: /a/.exec('a') }, 'value.found is an array with properties of its own'],
  [own(sparse.slice(), { x: 1 }), 'value is an array with properties of its own'],
  ...['4294967295', '-1', '0.5', ''].map((key) => [own([1], { [key]: 1 }), 'value is an array with properties of its own'] as const),
  [own([1], { [Symbol('s')]: 1 }), 'value is an array with properties of its own'],
  [own(new Date(0), { x: 1 }), 'value is an instance of Date with properties of its own'],
  [own(new Map([[1, 1]]), { x: 1 }), 'value is an instance of Map with properties of its own'],
  [own(Object('ab') as object, { x: 1 }), 'value is an instance of String with properties of its own'],
  [Object(Symbol('s')), 'value is a symbol'],
  [Math, 'value is an object of type Math'],
  [argumentsOf(1), 'value is an object of type Arguments'],
];

describe('what the typed codec refuses to store', () => {
  for (const [value, start] of refused) {
    test(`${start}: a TypeError, also beside plain data`, () => {
      const message = `${start}, which the codec cannot store; pass redis({ codec }) or return plain data`;
      assert.throws(() => encode(value), { name: 'TypeError', message });
      assert.throws(() => encode({ id: 1, in: [value] }), { name: 'TypeError', message: message.replace('value', 'value.in[0]') });
    });
  }

  test('what a getter throws is the cause of a TypeError with its path', () => {
    const cause = new Error('boom');
    const get = (): never => {
      throw cause;
    };
    const value = { rows: [Object.defineProperty({}, 'bad', { get, enumerable: true })] };
    assert.throws(() => encode(value), { name: 'TypeError', message: 'value.rows[0].bad cannot be stored: boom', cause });
  });
});

/** Texts that `encode` never writes. */
const garbage: readonly string[] = [
  ['', ' ', 'j1 2', 't["I"," 1"]', 't["L","http://a b"]', '\u0000'],
  ...[
    `j t x1 1 {} ["U"] J1 jundefined j{ j[1,] j'a' t[ t{"a":} jNaN t[] t[1] t[null] t["?"] t["toString"] t["__proto__",1] t[["U"]] t{"a":[]}`,
    't["A",[]] t["U",1] t["O"] t["O",[]] t["O",1] t["I"] t["I",1] t["I",""] t["I","1.5"] t["I","0x1"] t["N","1"] t["N",1] t["P",null] t["P",{}]',
    't["D"] t["D","2020"] t["D",1.5] t["D",9e15] t["D",[]] t["D",1,2] t["R","("] t["R","(",""] t["R","a","gg"] t["R","a",1] t["R","a","ig"] t["R","/",""]',
    't["L",""] t["L","no"] t["L","HTTP://A"] t["Q","?a=1"] t["Q",1] t["M",1] t["M",1,2,1,3] t["S",1,1] t["M",1,["?"]]',
    't["H"] t["H",0] t["H",-1] t["H",4294967296] t["H",2,2,1] t["H",2,1,1,0,1] t["H",2,0] t["H",2,"0",1] t["H",2,0.5,1] t["H",1,-1,1]',
    't["V"] t["V","Buffer"] t["V","Buffer",{"length":9}] t["V","Buffer","A"] t["V","Buffer","AA==",1] t["V","Buffer","!!!!"] t["V",1,""]',
    't["V","Function","AAAA"] t["V","constructor",""] t["V","Float64Array","AAAA"] t["E","Error"] t["E","Error",{},1] t["E","Function",{},{}]',
    't["E","__proto__",{},{}] t["E","Error",{"toString":1},{}] t["E","Error",{"__proto__":1},{}] t["E","Error",null,{}] t["E","Error",{},[]]',
  ].map((line) => line.split(' ')),
].flat();

describe('what the typed codec refuses to read', () => {
  const builtIns = [Object, Array, Map, Set, Date, Error, RegExp].map(({ prototype }): object => prototype);
  const snapshot = (): unknown => builtIns.map((prototype) => [Reflect.ownKeys(prototype), Object.getPrototypeOf(prototype)]);

  test('a text that it did not write throws', () => {
    for (const text of garbage) assert.throws(() => decode(text), Error, JSON.stringify(text));
  });

  test('keys of a prototype are keys like others: nothing is polluted', () => {
    const before = snapshot();
    const hostile = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    for (const text of [`j${hostile}`, `t${hostile}`, `t["O",${hostile}]`, `t["A",${hostile}]`, `t["E","Error",{},${hostile}]`]) {
      const value = decode(text) as object;
      assert.equal((value as { polluted?: unknown }).polluted, undefined);
    }
    assert.deepEqual(snapshot(), before);
  });

  test('a text that names a long array takes no room for it', () => {
    const before = process.memoryUsage().rss;
    const arrays = Array.from({ length: 50 }, () => decode('t["H",30000000,5,"five"]') as unknown[]);
    assert.deepEqual([arrays[0]?.length, arrays[0]?.[5]], [30_000_000, 'five']);
    assert.ok(process.memoryUsage().rss - before < 100_000_000);
  });

  test('a text with flipped, lost or doubled characters throws, or is a whole value', () => {
    const random = randomOf(11);
    const below = (n: number): number => Math.floor(random() * n);
    const texts = [...Object.values(plain), ...Object.values(typed)].map(encode);
    const letters = '[]{}",:0123456789-.eADEHIMNOPQRSUVL=_ntjru\\';
    const before = snapshot();
    let read = 0;
    for (let i = 0; i < 30_000; i++) {
      const text = texts[i % texts.length] as string;
      const [at, to] = [below(text.length), below(text.length)];
      const letter = letters[below(letters.length)] as string;
      const broken = [text.slice(0, at), text.slice(0, at) + letter + text.slice(at + 1), text.slice(0, at) + text.slice(to)][
        i % 3
      ] as string;
      let value: unknown;
      try {
        value = decode(broken);
      } catch (error) {
        assert.ok(error instanceof Error);
        continue;
      }
      read++;
      assert.deepStrictEqual(again(value), value, broken);
    }
    assert.ok(read > 300, `${read} were read`);
    assert.deepEqual(snapshot(), before);
  });
});
