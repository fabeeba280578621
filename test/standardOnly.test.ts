import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptionsError, Premier } from 'premier';
import { FakeClock } from 'premier/testing';

const clock = new FakeClock();
const premier = new Premier({ clock });

test('a #private method and a field that holds a function can be decorated', async () => {
  class Users {
    tries = 0;
    @premier.retry({ wait: 0 })
    async #hidden(): Promise<string> {
      if (++this.tries < 2) throw new Error('once');
      return 'found';
    }
    seek(): Promise<string> {
      return this.#hidden();
    }
    @premier.fallback('nothing')
    load = async (): Promise<string> => {
      throw new Error('no');
    };
  }
  const users = new Users();
  const sought = users.seek();
  await clock.advance(1);
  assert.equal(await sought, 'found');
  assert.equal(await users.load(), 'nothing');
});

test('a getter or a class is refused with the way out', () => {
  const decorate = premier.retry() as unknown as (value: unknown, context: object) => unknown;
  assert.throws(() => decorate(() => 1, { kind: 'getter', name: 'size' }), {
    name: 'OptionsError',
    message: 'retry: cannot decorate the getter size; decorate a method',
  });
  assert.throws(() => decorate(class {}, { kind: 'class', name: 'Users' }), OptionsError);
});
