import 'reflect-metadata';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { PremierHealthIndicator, type PremierHealthOptions, PremierModule } from '../../src/adapters/nestjs/index.js';
import { StoreUnavailableError } from '../../src/core/errors.js';
import type { Provider, StoreChange } from '../../src/core/provider.js';
import { Premier } from '../../src/premier.js';
import { memory } from '../../src/providers/memory.js';
import { run, type Running } from './nestjsSupport.js';

let options: PremierHealthOptions | undefined;

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly premier: PremierHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.premier.check('premier', options)]);
  }
}

async function told(nest: Running): Promise<[number, unknown]> {
  const reply = await nest.get('/health');
  return [reply.status, (reply.json() as { details: { premier: unknown } }).details.premier];
}

const start = (premier: Premier): Promise<Running> =>
  run({ imports: [TerminusModule.forRoot({ logger: false }), PremierModule.forRoot({ premier })], controllers: [HealthController] });

test('open circuits are ill health, of all or of those named', async () => {
  const premier = new Premier();
  await using nest = await start(premier);
  options = undefined;
  assert.deepEqual(await told(nest), [200, { status: 'up' }]);
  const charge = premier.circuitBreaker({ failureThreshold: 1, recoveryTimeout: 30, name: 'charge' })(async () =>
    Promise.reject(new Error('down')),
  );
  await charge().catch(() => undefined);
  const [status, { circuits }] = (await told(nest)) as [number, { circuits: { name: string; retryAfter: number }[] }];
  assert.deepEqual([status, circuits.map(({ name }) => name)], [503, ['charge']]);
  options = { circuits: ['other'] };
  assert.equal((await told(nest))[0], 200);
  options = { circuits: ['charge'] };
  assert.equal((await told(nest))[0], 503);
  options = { circuits: false };
  assert.equal((await told(nest))[0], 200);
  premier.breakers.reset('charge');
  options = undefined;
  assert.deepEqual(await told(nest), [200, { status: 'up' }]);
});

test('a store that is away is ill health, whether it says so or fails', async () => {
  const provider: Provider = memory();
  let tell: ((change: StoreChange) => void) | undefined;
  provider.watch = (watcher) => {
    tell = watcher;
    return () => (tell = undefined);
  };
  const premier = new Premier({ provider });
  await using nest = await start(premier);
  options = {};
  tell?.({ up: false, store: 'redis', error: new Error('away') });
  assert.deepEqual(await told(nest), [503, { status: 'down', stores: ['redis'] }]);
  options = { store: false };
  assert.equal((await told(nest))[0], 200);
  options = {};
  tell?.({ up: true, store: 'redis', seconds: 1 });
  assert.deepEqual(await told(nest), [200, { status: 'up' }]);
  const store = memory();
  const open = store.open?.bind(store);
  assert.ok(open);
  store.open = (prefix) => Object.assign(open(prefix), { step: () => Promise.reject(new StoreUnavailableError('away')) });
  await using other = await start(new Premier({ provider: store }));
  assert.deepEqual(await told(other), [503, { status: 'down', stores: ['store'] }]);
});

test('wrong options are told', async () => {
  const indicator = new PremierHealthIndicator(new Premier());
  await assert.rejects(
    indicator.check('premier', { circuits: 'charge' as never }),
    /option "circuits" must be true, false or a list of names/,
  );
  indicator.onModuleDestroy();
});
