import assert from 'node:assert/strict';
import { Call } from '../../src/core/call.js';
import type { Place, Runtime } from '../../src/core/policy.js';
import { compile } from '../../src/core/run.js';
import { featureSchemas } from '../../src/gateway/config/featureSchemas.js';
import type { Feature, FeatureContext, Forward } from '../../src/gateway/feature.js';
import { type Answer, Exchange, type ExchangeInit } from '../../src/http/exchange.js';
import { Answered, Problem } from '../../src/http/problem.js';
import { FakeClock } from '../../src/testing/fakeClock.js';

const site: Place['site'] = { fn: () => undefined, method: '/p/*', form: 'function' };

/** A request on `/p/*`, of which a test says what matters to it. */
export function exchangeOf(init: Partial<ExchangeInit> = {}): Exchange {
  return new Exchange({
    method: 'GET',
    path: '/p/1',
    query: '',
    host: 'h',
    scheme: 'http',
    client: '192.0.2.1',
    peer: '192.0.2.1',
    trusted: false,
    headers: [],
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
    ...init,
  });
}

/** An upstream that is content. */
export const ok: Forward = () => Promise.resolve({ status: 200, headers: ['x-up', '1'], body: undefined });

/** What stands around a feature in a test. */
interface World {
  readonly forward?: Forward;
  readonly copy?: Forward;
  readonly random?: () => number;
  readonly clock?: FakeClock;
  readonly warnings?: unknown[];
}

/** The feature by its YAML, around a forward: what it answers or throws. */
export function around<O>(feature: Feature<O>, yaml: object, world: World = {}): (exchange: Exchange) => Promise<Answer> {
  const schema = featureSchemas[feature.name as keyof typeof featureSchemas];
  const runtime = { clock: world.clock ?? new FakeClock(), random: world.random ?? (() => 0) } as Partial<Runtime> as Runtime;
  const context: FeatureContext = {
    runtime,
    place: { site, ordinal: 0 },
    pattern: '/p/*',
    forwardTo: () => world.copy ?? ok,
    warn: (message, fields) => void world.warnings?.push({ message, ...fields }),
  };
  const forward = world.forward ?? ok;
  const innermost = { run: (call: Call) => forward(call.args[0] as Exchange, call) };
  const run = compile([...feature.create(schema.parse(yaml) as O, context), innermost]);
  return (exchange) => run(new Call(site, undefined, [exchange], undefined)) as Promise<Answer>;
}

/** The problem that a request ended with. */
export async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const error: unknown = await promise.then(
    () => assert.fail('it was answered'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Problem, String(error));
  return error;
}

/** The answer that was thrown in place of going on. */
export async function answeredOf(promise: Promise<unknown>): Promise<Answer> {
  const error: unknown = await promise.then(
    () => assert.fail('it went on'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Answered, String(error));
  return error.answer;
}
