import 'reflect-metadata';
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import {
  Body,
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  HttpException,
  Injectable,
  Next,
  type NestInterceptor,
  Param,
  Post,
  Query,
  Req,
  Res,
  Sse,
  StreamableFile,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { delay, map, type Observable, of } from 'rxjs';
import { CacheResponse, PremierModule } from '../../src/adapters/nestjs/index.js';
import { OptionsError } from '../../src/core/errors.js';
import { Premier } from '../../src/premier.js';
import { FakeClock } from '../../src/testing/fakeClock.js';
import { type Reply, run } from './nestjsSupport.js';

interface Request {
  readonly headers: Record<string, string>;
}
interface Response {
  send(body: string): void;
  header(name: string, value: string): void;
  status(code: number): void;
}

let ran = 0;
let asked = 0;
let release: (() => void) | undefined;

@Injectable()
class Wrap implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Injectable()
class NoEve implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<Request>().headers['x-name'] !== 'eve';
  }
}

@Controller('cached')
class CachedController {
  @CacheResponse({ expireS: 60 })
  @UseGuards(NoEve)
  @HttpCode(203)
  @Get('plain/:id')
  plain(@Param('id') id: string, @Query('q') q: string): object {
    return { id, q, ran: ++ran };
  }

  @CacheResponse({ expireS: 60, key: () => (asked++, 'slow') })
  @Get('slow')
  async slow(): Promise<object> {
    await new Promise<void>((resolve) => (release = resolve));
    return { ran: ++ran };
  }

  @UseInterceptors(Wrap)
  @CacheResponse({ expireS: 60 })
  @Get('observable')
  observable(): Observable<number> {
    return of(++ran).pipe(delay(1));
  }

  @CacheResponse({ expireS: 60, key: 'query:page' })
  @Get('keyed')
  keyed(): object {
    return { ran: ++ran };
  }

  @CacheResponse({ expireS: 60, scope: (context) => context.switchToHttp().getRequest<Request>().headers['authorization'] ?? '' })
  @Get('scoped')
  scoped(@Req() request: Request): object {
    return { who: request.headers['authorization'], ran: ++ran };
  }

  @CacheResponse({
    expireS: 60,
    methods: ['POST'],
    key: (context) => JSON.stringify(context.switchToHttp().getRequest<{ body: unknown }>().body),
  })
  @Post('search')
  search(@Body() body: object): object {
    return { body, ran: ++ran };
  }

  @CacheResponse({ expireS: 60 })
  @Get('res')
  res(@Res() response: Response): void {
    response.send(`res ${++ran}`);
  }

  @CacheResponse({ expireS: 60 })
  @Get('next')
  next(@Next() _next: unknown, @Res({ passthrough: true }) response: Response): string {
    response.header('x-run', String(++ran));
    return `next ${ran}`;
  }

  @CacheResponse({ expireS: 60 })
  @Get('file')
  file(): StreamableFile {
    return new StreamableFile(Readable.from([Buffer.from(`file ${++ran}`)]));
  }

  @CacheResponse({ expireS: 60 })
  @Sse('events')
  events(): Observable<{ data: string }> {
    return of({ data: `event ${++ran}` });
  }

  @CacheResponse({ expireS: 60, key: () => 'cookie' })
  @Get('cookie')
  cookie(@Req() request: { res?: { setHeader(name: string, value: string): void } }): object {
    request.res?.setHeader('Set-Cookie', `run=${++ran}`);
    return { ran };
  }

  @CacheResponse({ expireS: 60 })
  @Get('error')
  error(): never {
    throw new HttpException(`error ${++ran}`, 418);
  }

  @CacheResponse({ expireS: 60 })
  @Get('nothing')
  nothing(): undefined {
    ran++;
    return undefined;
  }

  @CacheResponse({ expireS: 60, tags: ['books'] })
  @Get('tagged')
  tagged(): object {
    return { ran: ++ran };
  }
}

const cacheOf = (reply: Reply): string | null => reply.headers.get('x-cache');

for (const adapter of ['express', 'fastify'] as const) {
  describe(`@CacheResponse on ${adapter}`, () => {
    const clock = new FakeClock();
    const start = (premier = new Premier({ clock })): ReturnType<typeof run> =>
      run({ imports: [PremierModule.forRoot({ premier })], controllers: [CachedController] }, adapter);

    test('keeps what a handler returned, by path and query, until it expires', async () => {
      await using nest = await start();
      const first = await nest.get('/cached/plain/1?q=a');
      const second = await nest.get('/cached/plain/1?q=a');
      assert.deepEqual([cacheOf(first), cacheOf(second)], ['MISS', 'HIT']);
      assert.deepEqual([second.status, second.text], [203, first.text]);
      assert.equal(cacheOf(await nest.send('/cached/plain/1?q=a', { method: 'HEAD' })), 'HIT');
      assert.equal(cacheOf(await nest.get('/cached/plain/1?q=b')), 'MISS');
      assert.equal(cacheOf(await nest.get('/cached/plain/2?q=a')), 'MISS');
      await clock.advance(60);
      assert.equal(cacheOf(await nest.get('/cached/plain/1?q=a')), 'MISS');
    });

    test('asks the guards first, whatever is kept', async () => {
      await using nest = await start();
      await nest.get('/cached/plain/1');
      assert.equal((await nest.get('/cached/plain/1', { 'x-name': 'eve' })).status, 403);
    });

    test('passes by requests with credentials, and keeps nothing of them', async () => {
      await using nest = await start();
      for (const headers of [
        { authorization: 'Bearer a' },
        { cookie: 'sid=1' },
        { 'x-api-key': 'k' },
        { 'x-http-method-override': 'PUT' },
      ]) {
        assert.equal(cacheOf(await nest.get('/cached/plain/9', headers as Record<string, string>)), null);
      }
      assert.equal(cacheOf(await nest.get('/cached/plain/9')), 'MISS');
    });

    test('keeps answers to requests with credentials where a key or a scope says for whom they are', async () => {
      await using nest = await start();
      const ann = { authorization: 'ann' };
      assert.equal(cacheOf(await nest.get('/cached/keyed?page=1', ann)), 'MISS');
      assert.equal(cacheOf(await nest.get('/cached/keyed?page=1&other=2')), 'HIT');
      const hers = await nest.get('/cached/scoped', ann);
      assert.equal(cacheOf(await nest.get('/cached/scoped', { authorization: 'bob' })), 'MISS');
      assert.equal((await nest.get('/cached/scoped', ann)).text, hers.text);
    });

    test('runs the handler once for requests that come together', async () => {
      await using nest = await start();
      const before = ran;
      asked = 0;
      const all = Array.from({ length: 5 }, () => nest.get('/cached/slow'));
      const isAwaited = (): boolean => asked < 5;
      while (isAwaited()) await new Promise((resolve) => setImmediate(resolve));
      release?.();
      const replies = await Promise.all(all);
      assert.equal(ran, before + 1);
      assert.equal(new Set(replies.map(({ text }) => text)).size, 1);
      assert.deepEqual(replies.map((reply) => cacheOf(reply)).toSorted(), ['HIT', 'HIT', 'HIT', 'HIT', 'MISS']);
    });

    test('keeps the last value of an Observable, below other interceptors', async () => {
      await using nest = await start();
      const first = await nest.get('/cached/observable');
      assert.match(first.text, /^\{"data":\d+\}$/);
      assert.equal((await nest.get('/cached/observable')).text, first.text);
    });

    test('keeps answers to POST where they are asked for, by their body', async () => {
      await using nest = await start();
      const post = (body: string): Promise<Reply> =>
        nest.send('/cached/search', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
      assert.deepEqual(
        [cacheOf(await post('{"a":1}')), cacheOf(await post('{"a":1}')), cacheOf(await post('{"a":2}'))],
        ['MISS', 'HIT', 'MISS'],
      );
    });

    test('lets handlers with the response in their hands, streams and events pass', async () => {
      await using nest = await start();
      for (const path of ['res', 'next', 'file', 'events']) {
        const [first, second] = [await nest.get(`/cached/${path}`), await nest.get(`/cached/${path}`)];
        assert.equal(first.status, 200, path);
        assert.notEqual(first.text, '', path);
        assert.notEqual(first.text, second.text, path);
        assert.notEqual(cacheOf(second), 'HIT', path);
      }
      const together = await Promise.all([nest.get('/cached/file'), nest.get('/cached/file'), nest.get('/cached/file')]);
      assert.equal(new Set(together.map(({ text }) => text)).size, 3);
    });

    test('keeps no answer that sets a cookie, and no error', async () => {
      await using nest = await start();
      if (adapter === 'express') {
        await nest.get('/cached/cookie');
        assert.equal(cacheOf(await nest.get('/cached/cookie')), 'MISS');
      }
      const [first, second] = [await nest.get('/cached/error'), await nest.get('/cached/error')];
      assert.deepEqual([first.status, second.status], [418, 418]);
      assert.notEqual(first.text, second.text);
    });

    test('keeps nothing at all too, and drops by tag', async () => {
      const premier = new Premier({ clock });
      await using nest = await start(premier);
      const [first, second] = [await nest.get('/cached/nothing'), await nest.get('/cached/nothing')];
      assert.deepEqual([first.text, second.text, cacheOf(second)], ['', '', 'HIT']);
      await nest.get('/cached/tagged');
      assert.equal(cacheOf(await nest.get('/cached/tagged')), 'HIT');
      await premier.invalidateTags('books');
      assert.equal(cacheOf(await nest.get('/cached/tagged')), 'MISS');
    });
  });
}

test('wrong options are told when the decorator runs', () => {
  const wrong: [unknown, RegExp][] = [
    [{}, /CacheResponse: option "expireS" is missing/],
    [{ expireS: 0 }, /option "expireS" must be longer than 0/],
    [{ expireS: 1, methods: ['POST'] }, /needs "key"/],
    [{ expireS: 1, key: 'quary:x' }, /did you mean/],
    [{ expireS: 1, ttl: 1 }, /unknown option "ttl"/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(
      () => CacheResponse(options as never),
      (error) => error instanceof OptionsError && message.test(error.message),
      String(message),
    );
  }
});
