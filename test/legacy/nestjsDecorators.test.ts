import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  applyDecorators,
  Body,
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Header,
  Headers,
  HttpCode,
  Injectable,
  type NestInterceptor,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Query,
  SetMetadata,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiOperation, ApiProperty, ApiResponse, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { map, type Observable } from 'rxjs';
import { PremierModule } from '../../src/adapters/nestjs/index.js';
import { Premier } from '../../src/premier.js';
import { compiled, run } from './nestjsSupport.js';

const premier = new Premier({ scope: 'class' });

class Book {
  @ApiProperty()
  title!: string;
}

@Injectable()
class RoleGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const role = this.reflector.get<string | undefined>('role', context.getHandler());
    return role === undefined || context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-role'] === role;
  }
}

@Injectable()
class Wrap implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Injectable()
class Books {
  loads = 0;
  tries = 0;

  @premier.cacheResult({ expireS: 60 })
  async find(id: number): Promise<object> {
    this.loads++;
    return { id };
  }

  @premier.retry({ maxAttempts: 3, wait: 0 })
  async flaky(): Promise<string> {
    if (++this.tries < 3) throw new Error('not yet');
    return `after ${this.tries}`;
  }
}

const Guarded = (role: string): MethodDecorator => applyDecorators(SetMetadata('role', role), UseGuards(RoleGuard));

@Controller('books')
class BooksController {
  constructor(private readonly books: Books) {}

  @premier.retry()
  @premier.timeout(5)
  @Get('above/:id')
  @Guarded('reader')
  @UseInterceptors(Wrap)
  @HttpCode(203)
  @Header('X-Kind', 'book')
  @ApiOperation({ summary: 'a book' })
  @ApiResponse({ status: 203, type: Book })
  async above(@Param('id', ParseIntPipe) id: number, @Query('page') page: string): Promise<object> {
    return { ...(await this.books.find(id)), page };
  }

  @Get('between/:id')
  @premier.circuitBreaker()
  @Guarded('reader')
  @UseInterceptors(Wrap)
  @premier.timeout(5)
  @HttpCode(203)
  @Header('X-Kind', 'book')
  @ApiOperation({ summary: 'a book' })
  @ApiResponse({ status: 203, type: Book })
  async between(@Param('id', ParseIntPipe) id: number, @Query('page') page: string): Promise<object> {
    return { ...(await this.books.find(id)), page };
  }

  @Get('below/:id')
  @Guarded('reader')
  @UseInterceptors(Wrap)
  @HttpCode(203)
  @Header('X-Kind', 'book')
  @ApiOperation({ summary: 'a book' })
  @ApiResponse({ status: 203, type: Book })
  @premier.bulkhead({ maxConcurrent: 10 })
  @premier.retry({ maxAttempts: 2, wait: 0 })
  async below(@Param('id', ParseIntPipe) id: number, @Query('page') page: string): Promise<object> {
    return { ...(await this.books.find(id)), page };
  }

  @Post()
  @applyDecorators(premier.timeout(5) as MethodDecorator, premier.retry({ wait: 0 }) as MethodDecorator)
  async create(@Body() book: Book, @Headers('x-request') request: string): Promise<object> {
    return { title: book.title, request };
  }

  @premier.retry({ maxAttempts: 3, wait: 0 })
  @Get('missing')
  async missing(): Promise<never> {
    throw new NotFoundException('no such book');
  }

  @Get('flaky')
  flaky(): Promise<string> {
    return this.books.flaky();
  }
}

const module = { imports: [PremierModule.forRoot({ premier })], controllers: [BooksController], providers: [Books] };

for (const adapter of ['express', 'fastify'] as const) {
  describe(`decorators of Premier under Nest on ${adapter}`, () => {
    for (const place of ['above', 'between', 'below']) {
      test(`${place} those of Nest, they leave route, guard, pipe, parameters, interceptor, status and header alone`, async () => {
        await using nest = await run(module, adapter);
        const reply = await nest.get(`/books/${place}/7?page=2`, { 'x-role': 'reader' });
        assert.equal(reply.status, 203);
        assert.equal(reply.headers.get('x-kind'), 'book');
        assert.deepEqual(reply.json(), { data: { id: 7, page: '2' } });
        assert.equal((await nest.get(`/books/${place}/7`)).status, 403);
        assert.equal((await nest.get(`/books/${place}/x`, { 'x-role': 'reader' })).status, 400);
      });
    }

    test('they work within applyDecorators, with a body and a header', async () => {
      await using nest = await run(module, adapter);
      const headers = { 'content-type': 'application/json', 'x-request': 'r1' };
      const reply = await nest.send('/books', { method: 'POST', body: '{"title":"Emma"}', headers });
      assert.equal(reply.status, 201);
      assert.deepEqual(reply.json(), { title: 'Emma', request: 'r1' });
      assert.deepEqual(
        premier.policiesOf(BooksController, 'create').map(({ policy }) => policy),
        ['retry', 'timeout'],
      );
    });

    test('what the handler throws is answered as without them', async () => {
      await using nest = await run(module, adapter);
      const reply = await nest.get('/books/missing');
      assert.deepEqual([reply.status, (reply.json() as { message: string }).message], [404, 'no such book']);
    });

    test('a provider is retried, and cached', async () => {
      await using nest = await run(module, adapter);
      const books = nest.app.get(Books);
      assert.equal((await nest.get('/books/flaky')).text, 'after 3');
      const role = { 'x-role': 'reader' };
      const id = adapter === 'express' ? 101 : 102;
      await nest.get(`/books/below/${id}`, role);
      await nest.get(`/books/above/${id}`, role);
      assert.equal(books.loads, 1);
    });
  });
}

test('the document of Swagger has every route with its parameters, bodies and answers', async () => {
  const { app } = await compiled(module);
  await app.init();
  const { paths } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
  assert.deepEqual(Object.keys(paths).toSorted(), [
    '/books',
    '/books/above/{id}',
    '/books/below/{id}',
    '/books/between/{id}',
    '/books/flaky',
    '/books/missing',
  ]);
  for (const place of ['above', 'between', 'below']) {
    const operation = paths[`/books/${place}/{id}`]?.get;
    assert.equal(operation?.summary, 'a book');
    assert.deepEqual(
      operation?.parameters?.map((parameter) => [(parameter as { name: string }).name, (parameter as { schema: object }).schema]),
      [
        ['id', { type: 'number' }],
        ['page', { type: 'string' }],
      ],
    );
    assert.ok('203' in (operation?.responses ?? {}));
  }
  assert.deepEqual(paths['/books']?.post?.requestBody, {
    required: true,
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Book' } } },
  });
  await app.close();
});
