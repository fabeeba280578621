import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spaceOf } from '../../src/gateway/features/cacheSpace.js';
import { collect, isSource, type Source } from '../../src/http/body.js';
import type { Answer } from '../../src/http/exchange.js';
import { Problem } from '../../src/http/problem.js';
import { Flow, reply, settled, Stage } from './cacheStage.js';

/** A stage whose upstream answers when the test says so, once for each request. */
function held(options: Record<string, unknown> = {}) {
  const stage = new Stage();
  const answers: { readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void; aborted: boolean }[] = [];
  stage.upstream = (_, call) =>
    new Promise((resolve, reject) => {
      const one = { resolve, reject, aborted: false };
      answers.push(one);
      call.onAbort((reason) => {
        one.aborted = true;
        reject(reason);
      });
    });
  return { stage, answers, way: stage.path(options) };
}

test('of many who ask at once one goes up, and all get what it brings', async () => {
  const { stage, answers, way } = held();
  const got = Array.from({ length: 20 }, () => way.get('/a'));
  await settled();
  assert.equal(answers.length, 1);
  answers[0]?.resolve(reply('one'));
  const all = await Promise.all(got);
  assert.deepEqual(new Set(all.map(({ body }) => body)), new Set(['one']));
  assert.deepEqual(all.map(({ cache }) => cache).slice(0, 2), ['MISS', 'HIT']);
  assert.equal(all[1]?.header('cache-status'), 'premier; fwd=uri-miss; collapsed');
  assert.equal(spaceOf(stage.runtime).flights.size, 0);
});

test('when the head says that it is not for others, all who wait go up at once, and later ones never wait', async () => {
  const { stage, answers, way } = held();
  const flow = new Flow();
  const first = way.open('/a');
  const others = [way.get('/a'), way.get('/a')];
  await settled();
  answers[0]?.resolve(reply(flow, ['Cache-Control', 'private']));
  await first.answer;
  await settled();
  assert.equal(answers.length, 3, 'before the body of the first is complete');
  const later = [way.get('/a'), way.get('/a')];
  await settled();
  assert.equal(answers.length, 5);
  for (const one of answers.slice(1)) one.resolve(reply('own', ['Cache-Control', 'private']));
  for (const { cache } of await Promise.all([...others, ...later])) assert.equal(cache, 'MISS');
  await stage.clock.advance(61);
  void way.get('/a').catch(() => undefined);
  void way.get('/a').catch(() => undefined);
  await settled();
  assert.equal(answers.length, 6, 'after a while one goes first again');
  answers[5]?.reject(new Problem('bad_gateway'));
});

test('waiters whom the variant does not fit go up on their own, those whom it fits get it', async () => {
  const { answers, way } = held();
  const de = way.get('/a', { headers: ['Accept-Language', 'de'] });
  const alike = way.get('/a', { headers: ['Accept-Language', 'de'] });
  const en = way.get('/a', { headers: ['Accept-Language', 'en'] });
  await settled();
  assert.equal(answers.length, 1);
  answers[0]?.resolve(reply('hallo', ['Vary', 'Accept-Language']));
  await settled();
  answers[1]?.resolve(reply('hello', ['Vary', 'Accept-Language']));
  assert.deepEqual(
    (await Promise.all([de, alike, en])).map(({ body }) => body),
    ['hallo', 'hallo', 'hello'],
  );
  assert.equal(answers.length, 2);
});

test('the first client leaves, and the others get the answer all the same', async () => {
  const { answers, way } = held();
  const first = way.open('/a');
  const second = way.get('/a');
  await settled();
  first.call.abort(new Problem('client_closed_request'));
  await assert.rejects(first.answer, { type: 'client_closed_request' });
  assert.equal(answers[0]?.aborted, false);
  answers[0]?.resolve(reply('one'));
  assert.equal((await second).body, 'one');
});

test('the first client leaves in the middle of the body, and the others get all of it', async () => {
  const { answers, way } = held();
  const flow = new Flow();
  const first = way.open('/a');
  const second = way.get('/a');
  await settled();
  answers[0]?.resolve(reply(flow));
  const { body } = await first.answer;
  (body as Source).start({ write: () => true, end: () => undefined, fail: () => undefined });
  flow.sink?.write(Buffer.from('one '));
  (body as Source).cancel(new Error('left'));
  assert.equal(flow.cancelled, undefined);
  flow.sink?.write(Buffer.from('two'));
  flow.sink?.end();
  assert.equal((await second).body, 'one two');
});

test('when all clients have left, the upstream is let go: before the head and after it', async () => {
  const { stage, answers, way } = held();
  const calls = [way.open('/a'), way.open('/a'), way.open('/a')];
  await settled();
  for (const { call, answer } of calls) {
    assert.equal(answers[0]?.aborted, false);
    answer.catch(() => undefined);
    call.abort(new Problem('client_closed_request'));
  }
  await settled();
  assert.equal(answers[0]?.aborted, true);
  assert.equal(spaceOf(stage.runtime).flights.size, 0);
  const flow = new Flow();
  const first = way.open('/b');
  const second = way.open('/b');
  second.answer.catch(() => undefined);
  await settled();
  answers[1]?.resolve(reply(flow));
  ((await first.answer).body as Source).cancel(new Error('left'));
  assert.equal(flow.cancelled, undefined);
  second.call.abort(new Problem('client_closed_request'));
  assert.ok(flow.cancelled);
  assert.equal(spaceOf(stage.runtime).flights.size, 0);
});

test('an outage meets all who wait, without sending them up too', async () => {
  const { answers, way } = held();
  const got = Array.from({ length: 5 }, () => way.get('/a').catch((error: Problem) => error.status));
  await settled();
  answers[0]?.reject(new Problem('bad_gateway'));
  assert.deepEqual(await Promise.all(got), [502, 502, 502, 502, 502]);
  assert.equal(answers.length, 1);
});

test('a refusal of the first one is not that of the others', async () => {
  const { answers, way } = held();
  const first = way.get('/a').catch((error: Problem) => error.status);
  const second = way.get('/a');
  await settled();
  answers[0]?.reject(new Problem('rate_limited'));
  assert.equal(await first, 429);
  await settled();
  answers[1]?.resolve(reply('two'));
  assert.equal((await second).body, 'two');
});

test('a body that breaks off is never kept, and those who wait for it ask again', async () => {
  const { answers, way } = held();
  const flow = new Flow();
  const first = way.open('/a');
  const second = way.get('/a');
  await settled();
  answers[0]?.resolve(reply(flow));
  const whole = collect((await first.answer).body, 100);
  flow.sink?.write(Buffer.from('half'));
  flow.sink?.fail(new Error('reset'));
  await assert.rejects(whole, /reset/);
  await settled();
  answers[1]?.resolve(reply('whole'));
  assert.equal((await second).body, 'whole');
});

test('a body flows to the client while it is kept, and one that is too long for the store holds nobody up', async () => {
  const { answers, way } = held({ max_bytes: 8 });
  const flow = new Flow();
  const first = way.open('/a');
  const second = way.get('/a');
  await settled();
  answers[0]?.resolve(reply(flow));
  const { body } = await first.answer;
  assert.ok(isSource(body));
  const seen: string[] = [];
  let room = false;
  body.start({
    write: (chunk) => {
      seen.push(Buffer.from(chunk).toString());
      return room;
    },
    end: () => seen.push('end'),
    fail: () => undefined,
  });
  assert.equal(flow.sink?.write(Buffer.from('12345')), true, 'a slow client slows nobody while the body is kept');
  assert.deepEqual(seen, ['12345']);
  assert.equal(flow.sink?.write(Buffer.from('67890')), false, 'then it alone sets the pace');
  await settled();
  assert.equal(answers.length, 2, 'who waited has gone up');
  room = true;
  body.resume();
  assert.equal(flow.resumed, 1);
  flow.sink?.end();
  assert.deepEqual(seen, ['12345', '67890', 'end']);
  answers[1]?.resolve(reply('0123456789'));
  await second;
});

test('those with credentials wait for none but themselves', async () => {
  const { answers, way } = held();
  const got = ['ann', 'ann', 'bob'].map((user) => way.get('/a', { headers: ['Authorization', user] }));
  const anonymous = way.get('/a');
  await settled();
  assert.equal(answers.length, 3);
  for (const one of answers) one.resolve(reply('all', ['Cache-Control', 'public, max-age=9']));
  await Promise.all([...got, anonymous]);
});

test('a failed refresh in the background is told and harms nobody', async () => {
  const { stage, answers, way } = held({ expire_s: 1, stale_s: 60 });
  const first = way.get('/a');
  await settled();
  answers[0]?.resolve(reply('one'));
  await first;
  await stage.clock.advance(2);
  assert.equal((await way.get('/a')).cache, 'STALE');
  answers[1]?.reject(new Problem('not_found'));
  await settled();
  assert.equal(stage.runtime.events.counts.cacheFailed, 1);
  assert.equal((await way.get('/a')).cache, 'STALE');
  assert.equal(answers.length, 3);
  answers[2]?.resolve(reply('two'));
  await settled();
  assert.equal((await way.get('/a')).body, 'two');
});
