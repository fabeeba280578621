import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { currentSignal, OptionsError, Premier } from 'premier';
import { FakeClock } from 'premier/testing';
import { outcome } from '../support/doubles.js';

describe('premier.signal', () => {
  test('outside a call it throws and says so', () => {
    assert.throws(() => new Premier().signal, OptionsError);
    assert.throws(() => currentSignal(), /no current call/);
  });

  test('below the first await it is gone', async () => {
    const premier = new Premier();
    const late = premier.retry({ maxAttempts: 1 })(async function late() {
      await Promise.resolve();
      return premier.signal;
    });
    assert.ok((await outcome(late())).error instanceof OptionsError);
  });

  test('it is one signal for one call, and another for another', async () => {
    const premier = new Premier();
    const read = premier.timeout(1)(async () => [premier.signal, premier.signal]);
    const [first, again] = await read();
    assert.equal(first, again);
    assert.notEqual((await read())[0], first);
  });

  test('a call inside a call ends with it, but not the other way round', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    const signals: AbortSignal[] = [];
    const inner = premier.timeout(1)(function inner() {
      signals.push(premier.signal);
      return new Promise<void>(() => undefined);
    });
    const outer = premier.timeout(5)(function outer() {
      signals.push(premier.signal);
      const pending = inner();
      assert.equal(premier.signal, signals[0], 'the outer call is the current one again');
      return pending.catch(() => new Promise<void>(() => undefined));
    });
    const result = outcome(outer());
    await clock.advance(1);
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [false, true],
    );
    await clock.advance(4);
    await result;
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true, true],
    );
  });

  test('a load that several wait for does not end with one of them', async () => {
    const clock = new FakeClock();
    const premier = new Premier({ clock });
    let signal: AbortSignal | undefined;
    let finish: (value: string) => void = () => undefined;
    const load = premier.cacheResult()(function load() {
      signal = premier.signal;
      return new Promise<string>((resolve) => (finish = resolve));
    });
    const impatient = outcome(premier.timeout(1)(load)());
    const patient = load();
    await clock.advance(1);
    assert.ok((await impatient).error);
    assert.equal(signal?.aborted, false);
    finish('loaded');
    assert.equal(await patient, 'loaded');
  });

  test('with asyncContext it can be read anywhere below', async () => {
    const premier = new Premier({ asyncContext: true });
    const deep = premier.timeout(1)(async function deep() {
      await Promise.resolve();
      return premier.signal;
    });
    assert.ok((await deep()) instanceof AbortSignal);
  });
});
