import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { OptionsError, Premier } from 'premier';
import { serialize } from '../docs/extend/serialize.js';
import { deferred, outcome } from './support/doubles.js';

test('the policy of the page is the file that is compiled and run here', () => {
  assert.ok(readFileSync('docs/extend/policy.md', 'utf8').includes(readFileSync('docs/extend/serialize.ts', 'utf8').trim()));
});

test('a policy of a stranger lets the calls of a key run one after the other, in three uses', async () => {
  const premier = new Premier();
  const running: string[] = [];
  const gates = new Map<string, ReturnType<typeof deferred<void>>>();
  class Accounts {
    @premier.use(serialize, { key: (id: string) => id })
    async book(id: string, step: string): Promise<string> {
      running.push(id + step);
      const gate = deferred<void>();
      gates.set(id + step, gate);
      await gate.promise;
      return id + step;
    }
  }
  const accounts = new Accounts();
  const calls = [accounts.book('a', '1'), accounts.book('a', '2'), accounts.book('b', '1')];
  await new Promise(setImmediate);
  assert.deepEqual(running, ['a1', 'b1']);
  gates.get('a1')?.resolve();
  await calls[0];
  await new Promise(setImmediate);
  assert.deepEqual(running, ['a1', 'b1', 'a2']);
  gates.get('a2')?.resolve();
  gates.get('b1')?.resolve();
  assert.deepEqual(await Promise.all(calls), ['a1', 'a2', 'b1']);
  const broken = premier.use(
    serialize,
    {},
  )((): number => {
    throw new Error('no');
  });
  for (let i = 0; i < 2; i++) assert.equal(((await outcome(broken())).error as Error).message, 'no');
  assert.equal(await premier.pipe(premier.use(serialize, {}), premier.timeout(1))(async () => 1)(), 1);
});

test('its options are checked like any others', () => {
  assert.throws(() => new Premier().use(serialize, { key: 'id' } as never), {
    name: 'OptionsError',
    message: 'serialize: option "key" must be a function (got \'id\')',
  });
  assert.throws(() => new Premier().use(serialize, { keys: () => '' } as never), OptionsError);
});
