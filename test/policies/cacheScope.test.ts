import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OptionsError, Premier, type PremierOptions } from 'premier';
import { FakeClock } from 'premier/testing';
import { outcome } from '../support/doubles.js';

const setUp = (options: PremierOptions = {}) => {
  const clock = new FakeClock();
  const premier = new Premier({ clock, random: () => 0.5, ...options });
  return { clock, premier };
};

describe('whose cache', () => {
  test('a second instance is refused until somebody says whose cache it is', async () => {
    const { premier } = setUp();
    class Unsaid {
      constructor(readonly tenant: string) {}
      @premier.cacheResult()
      async find(): Promise<string> {
        return this.tenant;
      }
    }
    const [a, b] = [new Unsaid('a'), new Unsaid('b')];
    assert.deepEqual([await a.find(), await a.find()], ['a', 'a']);
    const { error } = await outcome(b.find());
    assert.ok(error instanceof OptionsError);
    assert.match(error.message, /Unsaid\.find.*scope: 'class'/s);

    class Said {
      constructor(readonly tenant: string) {}
      @premier.cacheResult({ scope: 'class' })
      async shared(): Promise<string> {
        return this.tenant;
      }
      @premier.cacheResult({ scope: 'instance' })
      async own(): Promise<string> {
        return this.tenant;
      }
      @premier.cacheResult({ scope: (self: { tenant: string }) => self.tenant })
      async tenants(): Promise<object> {
        return {};
      }
    }
    const [c, d, alsoC] = [new Said('c'), new Said('d'), new Said('c')];
    assert.deepEqual([await c.shared(), await d.shared()], ['c', 'c']);
    assert.deepEqual([await c.own(), await d.own()], ['c', 'd']);
    assert.equal(await c.tenants(), await alsoC.tenants());
    assert.notEqual(await c.tenants(), await d.tenants());
  });

  test('a whole Premier can say that classes share', async () => {
    const { premier } = setUp({ scope: 'class' });
    class Service {
      @premier.cacheResult()
      async find(): Promise<Service> {
        return this;
      }
    }
    assert.equal(await new Service().find(), await new Service().find());
  });

  test('a subclass has a cache of its own', async () => {
    const { premier } = setUp();
    class Base {
      @premier.cacheResult()
      async kind(): Promise<string> {
        return this.constructor.name;
      }
    }
    class Derived extends Base {}
    assert.deepEqual([await new Base().kind(), await new Derived().kind()], ['Base', 'Derived']);
  });

  test('a wrapped function that is called on several objects needs a scope too; a timer is nobody’s instance', async () => {
    const { premier } = setUp();
    let runs = 0;
    const load = premier.cacheResult()(async function load() {
      return ++runs;
    });
    const [one, two] = [{ load }, { load }];
    assert.deepEqual([await one.load(), await load()], [1, 1]);
    assert.ok((await outcome(two.load())).error instanceof OptionsError);
    assert.equal(await new Promise((resolve) => setImmediate(async () => resolve(await load()))), 1);
    for (let i = 0; i < 2; i++) {
      await new Promise<void>((resolve) => {
        setTimeout(load, 0);
        setTimeout(resolve, 1);
      });
    }
    assert.equal(premier.cache.stats().hits, 4);
  });
});
