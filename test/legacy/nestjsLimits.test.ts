import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CanActivate, Controller, type ExecutionContext, Get, Header, Injectable, Param, Post, UseGuards } from '@nestjs/common';
import { PremierGuard, PremierModule, RateLimit, SkipRateLimit } from '../../src/adapters/nestjs/index.js';
import { OptionsError } from '../../src/core/errors.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { Premier } from '../../src/premier.js';
import { type Reply, run, type Running } from './nestjsSupport.js';

const left = (reply: Reply): string | null => reply.headers.get('x-ratelimit-remaining');
const statuses = async (times: number, ask: () => Promise<Reply>): Promise<number[]> => {
  const seen: number[] = [];
  for (let i = 0; i < times; i++) seen.push((await ask()).status);
  return seen;
};

@Controller('plain')
class PlainController {
  @Get('a')
  a(): string {
    return 'a';
  }

  @Get('b')
  b(): string {
    return 'b';
  }

  @SkipRateLimit()
  @Get('free')
  free(): string {
    return 'free';
  }
}

@Controller('limited')
@RateLimit({ quota: 2, duration: 60 })
class LimitedController {
  @Get('one')
  one(): string {
    return 'one';
  }

  @Get('two')
  two(): string {
    return 'two';
  }

  @RateLimit({ quota: 1, duration: 60, key: 'header:x-user' })
  @Get('own')
  own(): string {
    return 'own';
  }

  @SkipRateLimit()
  @Get('free')
  free(): string {
    return 'free';
  }

  @Header('X-Own', 'yes')
  @Get('dear/:cost')
  @RateLimit({
    quota: 10,
    duration: 60,
    algorithm: 'token_bucket',
    burst: 12,
    key: (context) => context.switchToHttp().getRequest<{ params: { cost: string } }>().params.cost,
    cost: (context) => Number(context.switchToHttp().getRequest<{ params: { cost: string } }>().params.cost),
  })
  dear(@Param('cost') cost: string): string {
    return cost;
  }

  @Post('several')
  @RateLimit({
    limits: [
      { quota: 2, duration: '1m' },
      { quota: 3, duration: '1h', key: ['ip', 'path'] },
    ],
  })
  several(): string {
    return 'several';
  }

  @Get('twice')
  @UseGuards(PremierGuard)
  @RateLimit({ quota: 2, duration: 60 })
  twice(): string {
    return 'twice';
  }
}

@Injectable()
class LogIn implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: unknown }>();
    if (request.headers['x-login'] !== undefined) request.user = { id: request.headers['x-login'], plan: 'gold' };
    return true;
  }
}

@Controller('users')
class UsersController {
  @Get()
  @UseGuards(LogIn, PremierGuard)
  @RateLimit({ quota: 1, duration: 60, key: 'consumer' })
  mine(): string {
    return 'mine';
  }
}

for (const adapter of ['express', 'fastify'] as const) {
  describe(`limits of Nest on ${adapter}`, () => {
    test('the limit of the module counts everything together that has none of its own, and is told in headers', async () => {
      const clock = new FakeClock();
      const imports = [PremierModule.forRoot({ clock, rateLimit: { quota: 2, duration: 60 } })];
      await using nest = await run({ imports, controllers: [PlainController] }, adapter);
      const first = await nest.get('/plain/a');
      assert.equal(first.headers.get('ratelimit-policy'), '"minute";q=2;w=60');
      assert.equal(first.headers.get('ratelimit'), '"minute";r=1;t=60');
      assert.equal(first.headers.get('x-ratelimit-limit'), '2');
      assert.equal(left(first), '1');
      assert.equal(first.headers.get('x-ratelimit-reset'), String(clock.now() / 1000 + 60));
      assert.equal((await nest.get('/plain/b')).status, 200);
      const refused = await nest.get('/plain/a');
      assert.equal(refused.status, 429);
      assert.equal(refused.headers.get('retry-after'), '60');
      assert.equal(left(refused), '0');
      assert.deepEqual(refused.json(), {
        statusCode: 429,
        message: 'Rate limit exceeded',
        error: 'Too Many Requests',
        code: 'PREMIER_QUOTA_EXCEEDED',
      });
      const free = await nest.get('/plain/free');
      assert.deepEqual([free.status, left(free)], [200, null]);
      await clock.advance(60);
      assert.equal((await nest.get('/plain/a')).status, 200);
    });

    test('a class counts its handlers together, a handler counts alone, and one that skips is free', async () => {
      await using nest = await run({ imports: [PremierModule.forRoot()], controllers: [LimitedController, PlainController] }, adapter);
      assert.deepEqual(
        [await nest.get('/limited/one'), await nest.get('/limited/two'), await nest.get('/limited/one')].map(({ status }) => status),
        [200, 200, 429],
      );
      assert.deepEqual(await statuses(3, () => nest.get('/limited/free')), [200, 200, 200]);
      assert.deepEqual(await statuses(2, () => nest.get('/limited/own', { 'x-user': 'ann' })), [200, 429]);
      assert.deepEqual(await statuses(2, () => nest.get('/limited/own', { 'x-user': 'bob' })), [200, 429]);
      assert.deepEqual(await statuses(2, () => nest.get('/plain/a')), [200, 200]);
    });

    test('key and cost can be functions of the context', async () => {
      await using nest = await run({ imports: [PremierModule.forRoot()], controllers: [LimitedController] }, adapter);
      const first = await nest.get('/limited/dear/5');
      assert.deepEqual([left(first), first.headers.get('x-own')], ['7', 'yes']);
      assert.deepEqual(await statuses(2, () => nest.get('/limited/dear/5')), [200, 429]);
      const never = await nest.get('/limited/dear/13');
      assert.deepEqual([never.status, never.headers.get('retry-after')], [429, null]);
    });

    test('several limits are spent all or none, and each is told', async () => {
      const clock = new FakeClock();
      await using nest = await run({ imports: [PremierModule.forRoot({ clock })], controllers: [LimitedController] }, adapter);
      const post = (path = '/limited/several'): Promise<Reply> => nest.send(path, { method: 'POST' });
      const first = await post();
      assert.equal(first.headers.get('ratelimit-policy'), '"minute";q=2;w=60, "hour";q=3;w=3600');
      assert.equal(first.headers.get('x-ratelimit-remaining-hour'), '2');
      assert.deepEqual(await statuses(2, post), [201, 429]);
      await clock.advance(60);
      assert.deepEqual(await statuses(2, post), [201, 429]);
      assert.equal(left(await post()), '0');
      // Another spelling of the same route is no other quota.
      assert.equal((await post(adapter === 'express' ? '/Limited/several/' : '/limited/%73everal')).status, 429);
    });

    test('a guard that stands in two places counts a request once', async () => {
      await using nest = await run({ imports: [PremierModule.forRoot()], controllers: [LimitedController] }, adapter);
      assert.deepEqual(await statuses(3, () => nest.get('/limited/twice')), [200, 200, 429]);
    });

    test('with guard: false, a limit by user stands behind the guard that knows the user', async () => {
      await using nest = await run(
        { imports: [PremierModule.forRoot({ guard: false })], controllers: [UsersController, PlainController] },
        adapter,
      );
      assert.deepEqual(await statuses(2, () => nest.get('/users', { 'x-login': 'ann' })), [200, 429]);
      assert.deepEqual(await statuses(2, () => nest.get('/users', { 'x-login': 'bob' })), [200, 429]);
      assert.deepEqual(await statuses(2, () => nest.get('/users')), [200, 429]);
    });
  });
}

test('controllers of one name at two paths have limits of their own', async () => {
  const make = (path: string): new () => object => {
    @Controller(path)
    class BooksController {
      @RateLimit({ quota: 1, duration: 60 })
      @Get()
      list(): string {
        return path;
      }
    }
    return BooksController;
  };
  await using nest = await run({ imports: [PremierModule.forRoot()], controllers: [make('v1'), make('v2')] });
  assert.deepEqual(await statuses(2, () => nest.get('/v1')), [200, 429]);
  assert.deepEqual(await statuses(2, () => nest.get('/v2')), [200, 429]);
});

test('limits that cannot live under one name stop the application, and say why', async () => {
  const make = (quota: number, name?: string): new () => object => {
    @Controller('same')
    class SameController {
      @RateLimit({ quota, duration: 60, ...(name && { name }) })
      @Get(String(quota))
      list(): string {
        return 'list';
      }
    }
    return SameController;
  };
  const starting = (...controllers: (new () => object)[]): Promise<unknown> => run({ imports: [PremierModule.forRoot()], controllers });
  await assert.rejects(starting(make(1), make(2)), /RateLimit: two classes are named SameController\["same"\]; pass \{ name: '…' \}/);
  await assert.rejects(
    starting(make(1, 'both'), make(2, 'both')),
    /RateLimit\/fixed_window\/both: limiters of one name share a state and need equal numbers/,
  );
  const premier = new Premier();
  const withDefault = (quota: number): Promise<Running> =>
    run({ imports: [PremierModule.forRoot({ premier, rateLimit: { quota, duration: 60 } })] });
  await using first = await withDefault(1);
  assert.ok(first.url);
  await assert.rejects(withDefault(2), /RateLimit\/fixed_window\/app: limiters of one name share a state and need equal numbers/);
  await using nest = (await starting(make(1, 'a'), make(2, 'b'))) as Running;
  assert.deepEqual(await statuses(2, () => nest.get('/same/1')), [200, 429]);
});

test('wrong options are told when the decorator runs', () => {
  const wrong: [unknown, RegExp][] = [
    [{ quota: 1 }, /RateLimit: needs "quota" and "duration", or "limits"/],
    [{ quota: 1, duration: 60, limits: [{ quota: 1, duration: 60 }] }, /"quota" goes into each of "limits"/],
    [{ limits: [{ quota: 1 }] }, /in each of "limits"/],
    [{ quota: 1, duration: 60, key: 'heder:x' }, /did you mean "header.x"/],
    [{ quota: 1, duration: 60, key: '{path.id}' }, /path\.id/],
    [{ quota: 1, duration: 60, burst: 3 }, /belongs to a token bucket/],
    [{ quota: 1, duration: 60, quotta: 1 }, /unknown option "quotta"; did you mean "quota"/],
    [{ quota: 1, duration: 60, key: [] }, /option "key" must be/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(
      () => RateLimit(options as never),
      (error) => error instanceof OptionsError && message.test(error.message),
      String(message),
    );
  }
});
