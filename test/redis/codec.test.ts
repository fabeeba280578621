import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { typedCodec } from '../../src/redis/codec.js';
import { randomOf } from '../../src/testing/random.js';

const encode = (value: unknown): string => typedCodec.encode(value);
const decode = (text: string): unknown => typedCodec.decode(text);
const again = (value: unknown): unknown => decode(encode(value));
const parsed = (json: string): unknown => JSON.parse(json);
const bare = (record: object): unknown => Object.assign(Object.create(null) as object, record);
const own = (value: object, more: object): object => Object.assign(value, more);
const bytes = new Uint8Array([0, 1, 127, 128, 255, 254, 3, 4]);

const sparse: unknown[] = [];
sparse[1] = 'one';
sparse[4] = undefined;
sparse.length = 7;
const vast: unknown[] = [];
vast[4_294_967_294] = new Date(0);

class Stock extends Error {
  override name = 'Stock';
  constructor(
    message: string,
    readonly left: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
class Quiet extends RangeError {
  override get name(): string {
    return 'Quiet';
  }
}

/** JSON gives these back by itself. */
const plain: Readonly<Record<string, unknown>> = {
  null: null,
  true: true,
  'a number': -12.5e-7,
  'the largest numbers': [Number.MAX_VALUE, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER],
  'a text': 'é "quoted" \\ \u0000 \u2028 😀',
  'the empty text': '',
  'lone surrogates': ['\ud800', 'a\udc00b', { '\udfff': '\ud800' }],
  'a record': { id: 1, name: 'Ada', tags: ['a', 'b'], address: { zip: null }, '': 0 },
  'empty ones': [[], {}, [[]], [{}]],
  'texts that look like nodes': [['U'], ['D', 1], ['t', 'j'], { $: 'Date', '@@type': 'Map', $date: 1 }],
  'keys of Object.prototype': parsed('{"__proto__":{"x":1},"constructor":{"prototype":{"y":2}},"toJSON":"z","hasOwnProperty":1}'),
};

/** These need more than JSON. */
const typed: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  'undefined within': { a: undefined, b: [undefined, { c: undefined }] },
  NaN: NaN,
  '-0': -0,
  'odd numbers': [Infinity, -Infinity, -0, { zero: -0 }],
  bigints: [0n, -1n, 12345678901234567890n, { big: 10n ** 300n }],
  dates: [new Date(0), new Date(-1), new Date(8.64e15)],
  expressions: [/a/, /[/"\\]\//dgimsuy, new RegExp(''), new RegExp('\n/'), new RegExp('\\p{L}', 'v')],
  maps: new Map<unknown, unknown>([
    ['b', new Map([[{ k: 1 }, [undefined]]])],
    ['a', new Date(1)],
    [NaN, NaN],
    [undefined, new Map()],
  ]),
  sets: new Set<unknown>(['b', 'a', 1, '1', 1n, null, undefined, new Set([[1]]), NaN]),
  'a buffer': Buffer.from('héllo'),
  'an empty buffer': Buffer.alloc(0),
  'a buffer within another': Buffer.from(bytes.buffer, 2, 3),
  'an ArrayBuffer': bytes.buffer,
  'a DataView': new DataView(bytes.buffer, 1, 4),
  'typed arrays': [
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array].map((View) => new View([1, 2, 255])),
    new Float32Array([0.5, NaN]),
    new Float64Array([-0, Infinity]),
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 64n - 1n]),
    bytes.subarray(3, 5),
  ],
  'holes, and undefined beside them': [sparse, [sparse, 1]],
  'only holes': own([], { length: 3 }),
  'the longest array': vast,
  'records without a prototype': bare({ a: 1, b: bare({ ['__proto__']: 1, toString: undefined }) }),
  'an own __proto__ beside a type': [parsed('{"__proto__":{"a":[1]},"constructor":[2],"toJSON":{}}'), 1n],
  'nodes beside a type': [1n, ['U'], ['D', 1], { U: ['M', [1]] }, 't', 'j'],
  'lone surrogates beside a type': [1n, '\ud800', { '\udfff': /\ud800/ }],
  'boxed primitives': [Object('ab'), Object(''), Object(NaN), Object(false), Object(1n)],
  errors: [
    new Error('plain'),
    new Error('caused', { cause: { why: new TypeError('inner', { cause: undefined }) } }),
    ...[EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((BuiltIn) => new BuiltIn('of its class')),
    own(new TypeError('with fields'), { code: 'EPIPE', at: new Date(5), ['__proto__x']: 1 }),
    new AggregateError([new Error('a'), 'b', undefined], 'several'),
  ],
};

describe("the typed codec's round trips", () => {
  for (const [marker, table] of Object.entries({ j: plain, t: typed })) {
    for (const [what, value] of Object.entries(table)) {
      test(`${what}: the same comes back, also from within an object and an array`, () => {
        assert.deepStrictEqual(again(value), value);
        assert.deepStrictEqual(again({ a: [value] }), { a: [value] });
        assert.equal(encode(value)[0], marker);
        assert.equal(encode(again(value)), encode(value), 'in the same order, with the same stacks');
        assert.equal(Buffer.from(encode(value)).toString(), encode(value), 'UTF-8 can carry it');
      });
    }
  }

  test('addresses and their parameters come back', () => {
    const url = new URL('https://ü.example:8443/a b?x=1&x=%20#ü');
    const back = again([url, url.searchParams]) as [URL, URLSearchParams];
    assert.ok(back[0] instanceof URL && back[1] instanceof URLSearchParams);
    assert.deepEqual([back[0].href, [...back[1]]], [url.href, [...url.searchParams]]);
    assert.deepEqual([...(again(new URLSearchParams({ '?a': '+&=é' })) as URLSearchParams)], [['?a', '+&=é']]);
  });

  test('an error keeps its stack, its cause and which of its fields are shown', () => {
    const error = own(new TypeError('t', { cause: 1 }), { code: 'E', message: 'u' }) as Error;
    const back = again(error) as Error;
    assert.deepEqual(Object.getOwnPropertyDescriptors(back), {
      stack: { value: error.stack, writable: true, enumerable: false, configurable: true },
      message: { value: 'u', writable: true, enumerable: false, configurable: true },
      cause: { value: 1, writable: true, enumerable: false, configurable: true },
      code: { value: 'E', writable: true, enumerable: true, configurable: true },
    });
  });

  test('an error without a stack comes back without one', () => {
    const error = new Error('e');
    Reflect.deleteProperty(error, 'stack');
    assert.deepEqual(Reflect.ownKeys(again(error) as Error), ['message']);
  });

  test('an error of another class comes back as the built-in one that it extends, with its name', () => {
    const stock = again(new Stock('none', 0, { cause: new Quiet('q') })) as Stock;
    assert.equal(Object.getPrototypeOf(stock), Error.prototype);
    assert.deepEqual([stock.name, stock.message, stock.left], ['Stock', 'none', 0]);
    assert.equal(Object.getPrototypeOf(stock.cause), RangeError.prototype);
    assert.deepEqual([(stock.cause as Error).name, Object.keys(stock.cause as Error)], ['Quiet', []]);
    const aborted = again(AbortSignal.abort().reason) as Error;
    assert.deepEqual([aborted instanceof Error, aborted.name, aborted.message], [true, 'AbortError', 'This operation was aborted']);
  });

  test('an invalid date comes back', () => {
    assert.ok(Number.isNaN((again([new Date(NaN)]) as [Date])[0].getTime()));
  });

  test('binary values own no more bytes than they had', () => {
    const view = again(bytes.subarray(2, 4)) as Uint8Array;
    assert.deepEqual([view.byteOffset, view.buffer.byteLength, view.constructor], [0, 2, Uint8Array]);
  });

  test('accessors are stored as what they say, hidden properties not at all', () => {
    const record = Object.defineProperties({}, { now: { get: () => new Date(3), enumerable: true }, hidden: { value: () => 1 } });
    assert.deepStrictEqual(again(record), { now: new Date(3) });
  });

  test('what comes from another realm comes back as a value of this one', () => {
    const foreign: unknown = runInNewContext(
      `[{ a: [1] }, new Date(1), new Map([['k', new Set([1])]]), /a/g, new Uint8Array([1]), new TypeError('t'), Object('s')]`,
    );
    const [record, date, map, expression, view, error, boxed] = again(foreign) as readonly unknown[];
    assert.deepStrictEqual(
      [record, date, map, expression, view, boxed],
      [{ a: [1] }, new Date(1), new Map([['k', new Set([1])]]), /a/g, new Uint8Array([1]), Object('s')],
    );
    assert.ok(error instanceof TypeError && error.message === 't');
  });
});

describe('the typed codec at its limits', () => {
  test('random values in random shapes come back', () => {
    const random = randomOf(7);
    const below = (n: number): number => Math.floor(random() * n);
    const letters = ['a', '"', '\\', '\ud800', '\u0000', 'é', '__proto__', '$', 'D', ''];
    const text = (): string => Array.from({ length: below(3) }, () => letters[below(letters.length)]).join('');
    // JSON.parse of Node 24.21 takes one escaped key for another: JSON.parse('{"a\\"":1,"a\\\\":2}') may lose the first.
    const key = (): string => text().replaceAll(/["\\]/g, '_');
    const leaves: readonly (() => unknown)[] = [
      text,
      () => random() * 1e6 - 5e5,
      () => [0, -0, NaN, Infinity, -Infinity][below(5)],
      () => [null, true, false, undefined][below(4)],
      () => BigInt(below(1e9)) ** 3n,
      () => new Date(below(2e12) - 1e12),
      () => new RegExp(text().replaceAll(/[\\$]/g, '.'), 'u'),
      () => Buffer.from(text()),
      () => Float32Array.from({ length: below(4) }, random),
    ];
    const many = (depth: number): unknown[] => Array.from({ length: below(5) }, () => make(depth - 1));
    const nodes: readonly ((depth: number) => unknown)[] = [
      (depth) => many(depth),
      (depth) => own([], Object.fromEntries(many(depth).map((item) => [below(40), item]))),
      (depth) => Object.fromEntries(many(depth).map((item) => [key(), item])),
      (depth) => bare(Object.fromEntries(many(depth).map((item) => [key(), item]))),
      (depth) => new Map(many(depth).map((item) => [make(depth - 1), item])),
      (depth) => new Set(many(depth)),
      (depth) => own(new RangeError(text(), { cause: make(depth - 1) }), { field: make(depth - 1) }),
    ];
    const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
    const make = (depth: number): unknown => (depth > 0 && random() < 0.7 ? pick(nodes)(depth) : pick(leaves)());
    for (let i = 0; i < 3_000; i++) {
      const value = make(1 + below(5));
      const stored = encode(value);
      assert.equal(encode(decode(stored)), stored);
      assert.deepStrictEqual(decode(stored), value);
    }
  });

  const nest = (depth: number, inner: unknown, wrap: (value: unknown) => unknown): unknown => {
    let value = inner;
    for (let i = 0; i < depth; i++) value = wrap(value);
    return value;
  };
  const wraps: Readonly<Record<string, (value: unknown) => unknown>> = {
    records: (a) => ({ a }),
    arrays: (a) => [a],
    maps: (a) => new Map([['a', a]]),
    errors: (cause) => new Error('e', { cause }),
  };

  for (const [what, wrap] of Object.entries(wraps)) {
    test(`1,000 ${what} within one another come back, and one more is refused`, () => {
      for (const inner of [1, new Date(0)]) {
        const stored = encode(nest(999, inner, wrap));
        assert.equal(encode(decode(stored)), stored);
      }
      assert.throws(() => encode(nest(1_001, 1, wrap)), /^TypeError: value.{90,}….{90,} is nested more than 1000 deep, which/);
    });
  }

  test('a value that stands in two places is stored twice, and is no cycle', () => {
    const shared = { at: new Date(0) };
    assert.deepStrictEqual(again([shared, { shared }, new Map([[shared, shared]])]), [shared, { shared }, new Map([[shared, shared]])]);
  });
});

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
