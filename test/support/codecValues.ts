import { bare, own, parsed } from './codecCalls.js';

export const bytes = new Uint8Array([0, 1, 127, 128, 255, 254, 3, 4]);

export const sparse: unknown[] = [];
sparse[1] = 'one';
sparse[4] = undefined;
sparse.length = 7;
const vast: unknown[] = [];
vast[4_294_967_294] = new Date(0);

export class Stock extends Error {
  override name = 'Stock';
  constructor(
    message: string,
    readonly left: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
export class Quiet extends RangeError {
  override get name(): string {
    return 'Quiet';
  }
}

/** JSON gives these back by itself. */
export const plain: Readonly<Record<string, unknown>> = {
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
export const typed: Readonly<Record<string, unknown>> = {
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
