import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memory, OptionsError, Premier, type PremierOptions } from 'premier';
import { FakeClock } from 'premier/testing';

const setUp = (options: PremierOptions = {}) => {
  const clock = new FakeClock();
  const premier = new Premier({ clock, random: () => 0.5, ...options });
  return { clock, premier };
};

describe('premier.cache and its room', () => {
  test('premier.cache keeps by hand: get, set, delete, wrap, expiry and tags', async () => {
    const { clock, premier } = setUp();
    const { cache } = premier;
    assert.equal(await cache.get('k'), undefined);
    await cache.set('k', 1, { expireS: 10, tags: ['t'] });
    assert.equal(await cache.get('k'), 1);
    await clock.advance(10);
    assert.equal(await cache.get('k'), undefined);
    await cache.set('k', 2, '1m');
    assert.deepEqual([await cache.delete('k'), await cache.delete('k')], [true, false]);
    let loads = 0;
    const load = () => ++loads;
    assert.deepEqual(await Promise.all([cache.wrap('w', load), cache.wrap('w', load)]), [1, 1]);
    await cache.set('tagged', 3, { tags: ['t'] });
    await premier.invalidateTags('t');
    assert.equal(await cache.get('tagged'), undefined);
    assert.equal(await cache.wrap('w', load), 1);
    await assert.rejects(cache.get(7 as never), OptionsError);
    await assert.rejects(cache.set('k', 1, 'soon' as never), OptionsError);
  });

  test('the memory provider is bounded by entries and by bytes', async () => {
    const clock = new FakeClock();
    for (const provider of [memory({ clock, maxEntries: 50 }), memory({ clock, maxBytes: 20_000 })]) {
      const premier = new Premier({ clock, provider });
      let runs = 0;
      const load = premier.cacheResult()(async function load(n: number) {
        runs++;
        return 'x'.repeat(100) + n;
      });
      for (let i = 0; i < 1000; i++) await load(i);
      assert.equal(runs, 1000);
      await load(999);
      assert.equal(runs, 1000, 'the newest is there');
      await load(0);
      assert.equal(runs, 1001, 'the oldest is not');
    }
  });
});
