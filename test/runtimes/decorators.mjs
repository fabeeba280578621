import assert from 'node:assert/strict';
import { QuotaExceedsError, TimeoutError } from 'premier';
import { check, runtime } from './harness.mjs';

const load = () => import(runtime === 'node' ? '../../.build/runtimes-compiled/decorators.js' : './decorators.ts');

check('a decorated method keeps its name, and runs once while it is cached', async () => {
  const { Shop } = await load();
  const shop = new Shop();
  assert.equal(Shop.prototype.find.name, 'find');
  assert.equal(await shop.find('7'), 'book 7');
  assert.equal(await shop.find('7'), 'book 7');
  assert.equal(shop.found, 1);
});

check('one decorator on top of another', async () => {
  const { clock, Shop } = await load();
  const shop = new Shop();
  const answer = shop.order();
  await clock.advance(1);
  assert.equal(await answer, 'nothing');
  assert.equal(shop.failures, 2);
});

check('static methods', async () => {
  const { Shop } = await load();
  assert.equal(await Shop.search(), 'Shop');
  await assert.rejects(Shop.search(), QuotaExceedsError);
});

check('a decorated method has its signal', async () => {
  const { clock, Shop } = await load();
  const signals = [];
  const refused = assert.rejects(new Shop().slow(signals), TimeoutError);
  await clock.advance(6);
  await refused;
  assert.equal(signals[0].reason.name, 'TimeoutError');
});

check('synchronous methods', async () => {
  const { Shop } = await load();
  assert.equal(new Shop().sum(1, 2), 3);
});
