import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { FakeClock } from 'premier/testing';
import { gated, type Process, type ProcessOptions, processes } from '../support/processes.js';
import { redisUrl } from '../support/redisUrl.js';

const url = await redisUrl();

/** A process with one cached function, and all ways to drop what it keeps. */
function sideOf({ premier, provider }: Process, cache: object) {
  const load = gated();
  const cached = premier.cacheResult({
    name: 'load',
    cacheKey: (id: string) => id,
    tags: (_result: string, id: string) => [`tag ${id}`],
    ...cache,
  })(function find(_id: string): Promise<string> {
    return load.run();
  });
  const evict = premier.cacheEvict({ keys: (_result, id: string) => [id] })(async (id: string) => id);
  const evictTag = premier.cacheEvict({ tags: (_result, id: string) => [`tag ${id}`] })(async (id: string) => id);
  return { premier, provider, ...load, cached, evict, evictTag };
}
type Side = ReturnType<typeof sideOf>;

function scene(t: TestContext, options: Partial<ProcessOptions> = {}, cache: object = {}) {
  const clock = new FakeClock();
  const [one, other] = processes(t, 2, { url, clock, ...options });
  return { clock, a: sideOf(one, cache), b: sideOf(other, cache) };
}

const drops: readonly (readonly [string, (side: Side) => Promise<unknown>])[] = [
  ['invalidate with arguments', ({ premier, cached }) => premier.invalidate(cached, ['x'])],
  ['invalidate without', ({ premier, cached }) => premier.invalidate(cached)],
  ['invalidateTags', ({ premier }) => premier.invalidateTags('other', 'tag x')],
  ['clearCache', ({ premier }) => premier.clearCache()],
  ['cacheEvict by key', ({ evict }) => evict('x')],
  ['cacheEvict by tag', ({ evictTag }) => evictTag('x')],
];

for (const [kind, options] of [
  ['redis', {}],
  ['redis through node-redis', { client: 'node-redis' as const }],
  ['tiered', { tiered: true }],
] as const) {
  describe(`${kind}: what another process drops does not come back`, { concurrency: 3 }, () => {
    for (const [name, drop] of drops) {
      test(`${name}: a value whose load began before is kept nowhere, and who asks after starts a new load`, async (t) => {
        const { a, b } = scene(t, options);
        const before = a.cached('x');
        await a.begun(1);
        await drop(b);
        const meanwhile = a.cached('x');
        await a.begun(2);
        a.gates[0]?.resolve('old');
        assert.equal(await before, 'old', 'who asked before gets what was loaded for it');
        a.gates[1]?.resolve('new');
        assert.equal(await meanwhile, 'new');
        assert.deepEqual([await a.cached('x'), await b.cached('x')], ['new', 'new']);
        assert.deepEqual([a.gates.length, b.gates.length], [2, 0]);
      });

      test(`${name}: who asks after the load has ended starts a new one as well`, async (t) => {
        const { a, b } = scene(t, options);
        const before = a.cached('x');
        await a.begun(1);
        await drop(b);
        a.gates[0]?.resolve('old');
        await before;
        const [here, there] = [a.cached('x'), b.cached('x')];
        await Promise.all([a.begun(2), b.begun(1)]);
        a.gates[1]?.resolve('new');
        b.gates[0]?.resolve('new');
        assert.deepEqual(await Promise.all([here, there]), ['new', 'new']);
      });

      test(`${name}: a stale value does not come back by its refresh`, async (t) => {
        const { a, b, clock } = scene(t, options, { expireS: 10, staleS: 100, staleIfErrorS: 100 });
        const first = a.cached('x');
        await a.begun(1);
        a.gates[0]?.resolve('first');
        await first;
        await clock.advance(11);
        assert.equal(await a.cached('x'), 'first');
        await a.begun(2);
        await drop(b);
        a.gates[1]?.resolve('old');
        const after = b.cached('x');
        await b.begun(1);
        b.gates[0]?.resolve('new');
        assert.equal(await after, 'new');
        await drop(b);
        const again = b.cached('x');
        await b.begun(2);
        b.gates[1]?.reject(new Error('no'));
        await assert.rejects(again, /no/, 'and no error brings it back');
      });
    }
  });
}
