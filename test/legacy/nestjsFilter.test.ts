import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Catch, Controller, Get, Inject, Injectable, UseFilters } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { PremierFilter, PremierModule } from '../../src/adapters/nestjs/index.js';
import { KeyError, PremierError, StoreUnavailableError } from '../../src/core/errors.js';
import { Premier } from '../../src/premier.js';
import { run } from './nestjsSupport.js';

const premier = new Premier();

@Catch(PremierError)
class OwnFilter extends PremierFilter {
  constructor(@Inject(HttpAdapterHost) adapters: HttpAdapterHost) {
    super(adapters);
  }

  protected override bodyOf(error: PremierError): object {
    return { ...super.bodyOf(error), help: 'https://example.com/limits' };
  }
}

@Injectable()
class Failing {
  @premier.fixedWindow({ quota: 1, duration: 60, keymaker: () => 'secret-key' })
  async limited(): Promise<string> {
    return 'ok';
  }

  @premier.circuitBreaker({ failureThreshold: 1, recoveryTimeout: 30 })
  async broken(): Promise<string> {
    throw new Error('down');
  }

  @premier.timeout('10ms')
  async slow(): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, 5000).unref());
    return 'late';
  }

  @premier.bulkhead({ maxConcurrent: 1 })
  async narrow(): Promise<string> {
    return this.narrow();
  }
}

@Controller()
class FailingController {
  constructor(private readonly failing: Failing) {}

  @Get('limited')
  limited(): Promise<string> {
    return this.failing.limited();
  }

  @UseFilters(OwnFilter)
  @Get('own')
  own(): Promise<string> {
    return this.failing.limited();
  }

  @Get('broken')
  broken(): Promise<string> {
    return this.failing.broken();
  }

  @Get('slow')
  slow(): Promise<string> {
    return this.failing.slow();
  }

  @Get('narrow')
  narrow(): Promise<string> {
    return this.failing.narrow();
  }

  @Get('mistake')
  mistake(): never {
    throw new KeyError('args[0].user.conn of secret-key', 'args[0]');
  }

  @Get('store')
  store(): never {
    throw new StoreUnavailableError('redis 10.0.0.7:6379 cannot be reached');
  }
}

const module = { imports: [PremierModule.forRoot({ premier })], controllers: [FailingController], providers: [Failing] };

for (const adapter of ['express', 'fastify'] as const) {
  describe(`errors of Premier in Nest on ${adapter}`, () => {
    test('are answered with their status, Retry-After, and a body in the shape of Nest', async () => {
      await premier.clearThrottle();
      for (const { name } of premier.breakers) premier.breakers.reset(name);
      await using nest = await run(module, adapter);
      const told = async (path: string): Promise<unknown[]> => {
        const { status, headers, json } = await nest.get(path);
        const { statusCode, message, error, code, ...more } = json() as Record<string, unknown>;
        assert.equal(status, statusCode);
        assert.deepEqual(more, {});
        return [status, headers.get('retry-after'), message, error, code];
      };
      assert.equal((await nest.get('/limited')).status, 200);
      assert.deepEqual(await told('/limited'), [429, '60', 'Rate limit exceeded', 'Too Many Requests', 'PREMIER_QUOTA_EXCEEDED']);
      assert.equal((await nest.get('/broken')).status, 500);
      assert.deepEqual(await told('/broken'), [503, '30', 'The service is unavailable', 'Service Unavailable', 'PREMIER_CIRCUIT_OPEN']);
      assert.deepEqual(await told('/slow'), [504, null, 'Request timeout', 'Gateway Timeout', 'PREMIER_TIMEOUT']);
      assert.deepEqual((await told('/narrow'))[4], 'PREMIER_BULKHEAD_FULL');
      assert.deepEqual(await told('/mistake'), [500, null, 'An unexpected error occurred', 'Internal Server Error', 'PREMIER_KEY']);
      assert.deepEqual(await told('/store'), [503, null, 'The service is unavailable', 'Service Unavailable', 'PREMIER_STORE_UNAVAILABLE']);
    });

    test('tell neither stacks nor keys nor addresses', async () => {
      await using nest = await run(module, adapter);
      for (const path of ['/limited', '/limited', '/broken', '/mistake', '/store']) {
        const { text, headers } = await nest.get(path);
        assert.doesNotMatch(text + JSON.stringify([...headers]), /secret-key|10\.0\.0\.7|Failing|\.ts|\.js|at /);
      }
    });

    test('can be answered by a filter of yours that extends this one', async () => {
      await using nest = await run(module, adapter);
      await nest.get('/limited');
      const reply = await nest.get('/own');
      assert.equal(reply.status, 429);
      assert.ok(Number(reply.headers.get('retry-after')) > 0);
      assert.equal((reply.json() as { help: string }).help, 'https://example.com/limits');
    });

    test('are left to Nest with filters: false', async () => {
      const imports = [PremierModule.forRoot({ premier, filters: false })];
      await using nest = await run({ ...module, imports }, adapter);
      await nest.get('/limited');
      const reply = await nest.get('/limited');
      assert.equal(reply.headers.get('retry-after'), null);
      assert.equal(reply.status, 429);
    });
  });
}
