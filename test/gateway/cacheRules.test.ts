import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isHad } from '../../src/http/caching/conditional.js';
import { formatDate, parseDate } from '../../src/http/caching/dates.js';
import { parseDirectives, spanOf } from '../../src/http/caching/directives.js';
import { sliceOf } from '../../src/http/caching/ranges.js';
import { type Asker, leaseOf, type Rules } from '../../src/http/caching/storable.js';
import { storedFields, updatedFields } from '../../src/http/caching/storedFields.js';
import { parseTargeted } from '../../src/http/caching/targeted.js';
import { variantOf, variesBy } from '../../src/http/caching/varying.js';

const now = Date.UTC(2026, 0, 5, 12, 0, 0);
const date = formatDate(now);
const nobody: Asker = { authorized: false, consumer: false, cookie: false };
const rules: Rules = {
  expire: undefined,
  staleWhileRevalidate: 0,
  staleIfError: 0,
  storeSetCookie: false,
  storePrivate: false,
  storeErrors: false,
  ignoreUpstream: false,
  keyed: false,
};

type Given = { readonly status?: number; readonly asker?: Partial<Asker>; readonly rules?: Partial<Rules> };

function lease(headers: readonly string[], given: Given = {}) {
  const head = { status: given.status ?? 200, headers: [...headers], requestedAt: now, receivedAt: now };
  return leaseOf(head, { ...nobody, ...given.asker }, { ...rules, ...given.rules });
}

/** Seconds that an answer is fresh; `no` where it may not be kept. */
function fresh(headers: readonly string[], given: Given = {}): number | 'no' {
  const found = lease(headers, given);
  return found === undefined ? 'no' : Math.max(0, (found.freshUntil - now) / 1000);
}

const cc = (value: string): string[] => ['Cache-Control', value];

test('how long an answer is fresh, by what the upstream says', () => {
  const table: readonly (readonly [headers: readonly string[], seconds: number | 'no', given?: Given])[] = [
    [cc('max-age=60'), 60],
    [cc('MAX-AGE=60'), 60],
    [cc('max-age=003600'), 3600],
    [cc('max-age="60"'), 60],
    [cc('max-age=60, s-maxage=10'), 10],
    [cc('s-maxage=10, max-age=60'), 10],
    [cc('max-age=1800, max-age=1'), 1800],
    [cc('max-age=99999999999'), 2 ** 31],
    [cc("max-age='3600'"), 'no'],
    [cc('max-age=a3600'), 'no'],
    [cc('max-age=3600a'), 'no'],
    [cc('max-age=-1'), 'no'],
    [cc('max-age=0'), 'no'],
    [cc('extension="max-age=3600", max-age=1'), 1],
    [cc('max-age=1, extension="max-age=3600"'), 1],
    [[...cc('max-age=60'), 'Age', '20'], 40],
    [[...cc('max-age=60'), 'Age', '20, 0'], 40],
    [[...cc('max-age=60'), 'Age', 'abc'], 60],
    [[...cc('max-age=60'), 'Age', '-20'], 60],
    [[...cc('max-age=60'), 'Date', formatDate(now - 15_000)], 45],
    [['Expires', formatDate(now + 30_000), 'Date', date], 30],
    [['Expires', formatDate(now + 30_000), 'Date', formatDate(now - 10_000)], 30],
    [['Expires', '0', 'Date', date], 'no'],
    [['Expires', formatDate(now + 30_000), 'Expires', formatDate(now + 30_000)], 'no'],
    [['Expires', '0', ...cc('max-age=60')], 60],
    [cc('no-store'), 'no'],
    [cc('no-store, max-age=60'), 'no'],
    [cc('no-store, max-age=60, must-understand'), 60],
    [cc('max-age=60, must-understand'), 'no', { status: 299 }],
    [cc('no-cache'), 'no'],
    [[...cc('no-cache, max-age=60'), 'ETag', '"a"'], 0],
    [['Pragma', 'no-cache'], 'no'],
    [cc('private, max-age=60'), 'no'],
    [cc('private="x-user", max-age=60'), 'no'],
    [cc('max-age=60'), 'no', { status: 206 }],
    [cc('max-age=60'), 60, { status: 404 }],
    [cc('max-age=60'), 'no', { status: 503 }],
    [cc('max-age=60'), 60, { status: 503, rules: { storeErrors: true } }],
    [[...cc('max-age=60'), 'Set-Cookie', 'a=b'], 'no'],
    [[...cc('max-age=60'), 'Set-Cookie', 'a=b'], 60, { rules: { storeSetCookie: true } }],
    [[], Infinity],
    [[], 300, { rules: { expire: 300_000 } }],
    [cc('max-age=60'), 60, { rules: { expire: 300_000 } }],
    [cc('public'), 300, { rules: { expire: 300_000 } }],
    [cc('public'), 'no'],
    [[...cc('public'), 'Last-Modified', formatDate(now - 100_000)], 10],
    [[], 'no', { status: 404, rules: { expire: 300_000 } }],
    [[], 'no', { status: 201, rules: { expire: 300_000 } }],
    [[], 300, { status: 301, rules: { expire: 300_000 } }],
    [[], 'no', { status: 500, rules: { expire: 300_000 } }],
    [cc('no-store, max-age=5'), 300, { rules: { expire: 300_000, ignoreUpstream: true } }],
    [cc('private'), 'no', { rules: { expire: 300_000, ignoreUpstream: true } }],
  ];
  for (const [headers, seconds, given] of table) assert.equal(fresh(headers, given), seconds, JSON.stringify([headers, given]));
});

test('where nobody says it, how long an answer is fresh is guessed by its last change, and only where nothing else was wanted', () => {
  const changed = ['Last-Modified', formatDate(now - 1_000_000)];
  const guess = { expire: 0 };
  const table: readonly (readonly [headers: readonly string[], seconds: number | 'no', given?: Given])[] = [
    [changed, 100, { rules: guess }],
    [changed, 100, { status: 404, rules: guess }],
    [[...changed, 'Age', '30'], 70, { rules: guess }],
    [['Last-Modified', formatDate(now - 10 ** 12)], 86_400, { rules: guess }],
    [['Last-Modified', formatDate(now + 60_000)], 0, { rules: guess }],
    [[], 'no', { rules: guess }],
    [[], 'no', { status: 404, rules: guess }],
    [changed, 'no', { status: 403, rules: guess }],
    [[...cc('public'), ...changed], 100, { status: 403, rules: guess }],
    [cc('public'), 'no', { status: 403, rules: guess }],
    [changed, 'no', { status: 501, rules: guess }],
    [changed, 100, { status: 501, rules: { ...guess, storeErrors: true } }],
    [changed, 'no', { status: 502, rules: { ...guess, storeErrors: true } }],
    [changed, 'no', { rules: guess, asker: { cookie: true } }],
    [changed, 'no', { rules: guess, asker: { authorized: true } }],
    [changed, 0, { rules: { ...guess, ignoreUpstream: true } }],
    [changed, 300, { rules: { expire: 300_000 } }],
    [changed, Infinity],
  ];
  for (const [headers, seconds, given] of table) assert.equal(fresh(headers, given), seconds, JSON.stringify([headers, given]));
});

test('CDN-Cache-Control takes the place of Cache-Control and Expires, and is ignored as a whole when it is malformed', () => {
  const cdn = (value: string, ...rest: string[]): string[] => ['CDN-Cache-Control', value, ...rest];
  const table: readonly (readonly [headers: readonly string[], seconds: number | 'no'])[] = [
    [cdn('max-age=60'), 60],
    [cdn('foobar, max-age=60;x="y"'), 60],
    [cdn('max-age=60', ...cc('max-age=1')), 60],
    [cdn('max-age=1', ...cc('max-age=60')), 1],
    [cdn('max-age=60', ...cc('no-store')), 60],
    [cdn('max-age=60', 'Expires', '0'), 60],
    [cdn('max-age=0', 'Expires', formatDate(now + 9000)), 'no'],
    [cdn('no-store', ...cc('max-age=60')), 'no'],
    [cdn('private', ...cc('max-age=60')), 'no'],
    [cdn('no-cache', ...cc('max-age=60')), 'no'],
    [cdn('max-age=60, &&&&&', ...cc('no-store')), 'no'],
    [cdn('max-age="60"', ...cc('no-store')), 'no'],
    [cdn('MaX-aGe=60', ...cc('max-age=1')), 1],
    [cdn('max-age =60', ...cc('max-age=1')), 1],
    [cdn('max-age= 60', ...cc('max-age=1')), 1],
    [cdn('max-age=60,', ...cc('max-age=1')), 1],
    [cdn('max-age=60.0', ...cc('max-age=1')), 1],
  ];
  for (const [headers, seconds] of table) assert.equal(fresh(headers), seconds, JSON.stringify(headers));
  assert.equal(parseTargeted(''), undefined);
  assert.equal(parseTargeted('a=("x" y;z=1), max-age=5')?.get('max-age'), '5');
});

test('an answer to a request with credentials is for nobody else unless the upstream says so', () => {
  const asked = { asker: { authorized: true } };
  assert.equal(fresh(cc('max-age=60'), asked), 'no');
  assert.equal(fresh([], { ...asked, rules: { expire: 60_000 } }), 'no');
  assert.equal(fresh(cc('max-age=60, public'), asked), 60);
  assert.equal(fresh(cc('s-maxage=60'), asked), 60);
  assert.equal(fresh(cc('max-age=60, must-revalidate'), asked), 60);
  assert.equal(fresh([], { asker: { cookie: true }, rules: { expire: 60_000 } }), 'no');
  assert.equal(fresh(cc('max-age=60'), { asker: { cookie: true } }), 60);
  assert.equal(lease(cc('max-age=60'), { asker: { consumer: true } })?.personal, true);
  assert.equal(lease(cc('public, max-age=60'), { asker: { consumer: true } })?.personal, false);
  assert.equal(lease(cc('private, max-age=60'), { asker: { cookie: true }, rules: { storePrivate: true } })?.personal, true);
  assert.equal(lease(cc('private, max-age=60'), { rules: { storePrivate: true } }), undefined);
});

test('stale answers may be used for as long as the upstream or the configuration says, and never where that is forbidden', () => {
  const windows = (value: string, more: Partial<Rules> = {}): readonly number[] => {
    const found = lease([...cc(value), 'ETag', '"a"'], { rules: more });
    assert.ok(found);
    return [(found.staleUntil - found.freshUntil) / 1000, (found.errorUntil - found.freshUntil) / 1000];
  };
  const both = { staleWhileRevalidate: 5000, staleIfError: 9000 };
  assert.deepEqual(windows('max-age=1'), [0, 0]);
  assert.deepEqual(windows('max-age=1, stale-while-revalidate=30, stale-if-error=60'), [30, 60]);
  assert.deepEqual(windows('max-age=1', both), [5, 9]);
  assert.deepEqual(windows('max-age=1, stale-if-error=0, stale-while-revalidate=0', both), [0, 0]);
  for (const strict of ['must-revalidate', 'proxy-revalidate', 's-maxage=1', 'no-cache'])
    assert.deepEqual(windows(`max-age=1, stale-while-revalidate=30, stale-if-error=30, ${strict}`, both), [0, 0], strict);
});

test('an error that is kept is never used once it is stale', () => {
  const found = lease([...cc('max-age=1, stale-while-revalidate=30, stale-if-error=30'), 'ETag', '"a"'], {
    status: 503,
    rules: { storeErrors: true, staleWhileRevalidate: 5000, staleIfError: 9000 },
  });
  assert.ok(found);
  assert.deepEqual([found.strict, found.staleUntil, found.errorUntil], [true, found.freshUntil, found.freshUntil]);
});

test('a date is one of three forms and nothing that merely looks like one', () => {
  const at = Date.UTC(1994, 10, 6, 8, 49, 37);
  assert.equal(parseDate('Sun, 06 Nov 1994 08:49:37 GMT', now), at);
  assert.equal(parseDate('Sunday, 06-Nov-94 08:49:37 GMT', now), at);
  assert.equal(parseDate('Sun Nov  6 08:49:37 1994', now), at);
  assert.equal(parseDate('SUN, 06 nov 1994 08:49:37 gmt', now), at);
  for (const text of [
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 94 08:49:37 GMT',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 25:49:37 GMT',
    '0',
    '1994-11-06',
  ])
    assert.equal(parseDate(text, now), undefined, text);
});

test('a directive is found only where it stands, and its first place counts', () => {
  const found = parseDirectives(' a , Max-Age = 5, b="x, no-store", c="\\"q\\"", ,max-age=7');
  assert.deepEqual([...found.keys()], ['a', 'max-age', 'b', 'c']);
  assert.equal(found.get('c'), '"q"');
  assert.equal(spanOf(found, 'max-age'), 0);
  assert.equal(spanOf(found, 'none'), undefined);
});

test('a star anywhere in Vary ends all reuse, and two lines both count', () => {
  assert.deepEqual(variesBy(['Vary', 'B, a', 'vary', 'C'], []), ['a', 'b', 'c']);
  assert.deepEqual(variesBy([], ['x-own']), ['x-own']);
  for (const vary of [
    ['Vary', '*'],
    ['Vary', 'a, *'],
    ['Vary', 'a', 'Vary', '*'],
  ])
    assert.equal(variesBy(vary, []), undefined);
});

test('requests are alike when they say the same, whatever its order where order means nothing', () => {
  const who = (): string => 'me';
  const same = (field: string, a: readonly string[], b: readonly string[]): boolean =>
    variantOf([field], [...a], who) === variantOf([field], [...b], who);
  assert.ok(same('accept-language', ['Accept-Language', 'en, de'], ['accept-language', 'DE,en']));
  assert.ok(same('foo', ['Foo', 'a , b'], ['foo', 'a', 'Foo', 'b']));
  assert.ok(!same('foo', ['Foo', 'a'], ['Foo', 'A']));
  assert.ok(!same('foo', ['Foo', ''], []));
  assert.notEqual(variantOf(['a', 'b'], ['a', '1', 'b', '23'], who), variantOf(['a', 'b'], ['a', '12', 'b', '3'], who));
  assert.ok(!variantOf(['authorization'], ['Authorization', 'secret'], who).includes('secret'));
});

test('a client that has the answer is recognised by any of its tags, weakly, or by its date', () => {
  const stored = ['ETag', 'W/"a,b"', 'Last-Modified', date];
  const table: readonly (readonly [request: readonly string[], had: boolean])[] = [
    [['If-None-Match', '"a,b"'], true],
    [['If-None-Match', '"x", W/"a,b"'], true],
    [['If-None-Match', '*'], true],
    [['If-None-Match', '"a"'], false],
    [['If-None-Match', '"x"', 'If-Modified-Since', date], false],
    [['If-Modified-Since', date], true],
    [['If-Modified-Since', formatDate(now - 1000)], false],
    [['If-Modified-Since', 'nonsense'], false],
    [[], false],
  ];
  for (const [request, had] of table) assert.equal(isHad([...request], stored, now), had, JSON.stringify(request));
});

test('one range of a complete answer, and only while the answer is what the client believes', () => {
  const stored = ['ETag', '"a"', 'Last-Modified', date];
  const slice = (range: string, ...more: string[]): unknown => sliceOf(['Range', range, ...more], stored, 10);
  assert.deepEqual(slice('bytes=2-4'), { from: 2, to: 5 });
  assert.deepEqual(slice('bytes=5-'), { from: 5, to: 10 });
  assert.deepEqual(slice('bytes=-3'), { from: 7, to: 10 });
  assert.deepEqual(slice('bytes=-30'), { from: 0, to: 10 });
  assert.equal(slice('bytes=10-'), 'none');
  assert.equal(slice('bytes=-0'), 'none');
  for (const whole of ['bytes=4-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=x']) assert.equal(slice(whole), 'all', whole);
  assert.deepEqual(slice('bytes=0-0', 'If-Range', '"a"'), { from: 0, to: 1 });
  assert.equal(slice('bytes=0-0', 'If-Range', 'W/"a"'), 'all');
  assert.equal(slice('bytes=0-0', 'If-Range', '"b"'), 'all');
  assert.deepEqual(slice('bytes=0-0', 'If-Range', date), { from: 0, to: 1 });
});

test('fields of one connection are not kept, and a 304 changes all that is not of the body', () => {
  const kept = storedFields(['Connection', 'X-Hop', 'X-Hop', '1', 'Keep-Alive', 'x', 'Content-Length', '3', 'Age', '4', 'A', 'b'], now, 5);
  assert.deepEqual(kept, ['A', 'b', 'Date', date, 'Content-Length', '5']);
  const stored = ['A', 'old', 'a', 'older', 'Content-Length', '5', 'Content-Type', 'text/plain', 'B', 'b'];
  const updated = updatedFields(stored, ['A', 'new', 'Content-Length', '0', 'Content-Type', 'x/y', 'C', '1', 'C', '2', 'Connection', 'x']);
  assert.deepEqual(updated, ['Content-Length', '5', 'Content-Type', 'text/plain', 'B', 'b', 'A', 'new', 'C', '1', 'C', '2']);
});
