// An application as TypeScript compiles it for CommonJS with legacy decorators, asked over HTTP. Prints what it answered.
'use strict';

/** What `__decorate` of TypeScript does with a method. */
function decorate(decorators, target, key) {
  let descriptor = Object.getOwnPropertyDescriptor(target, key);
  for (const one of decorators.toReversed()) descriptor = one(target, key, descriptor) ?? descriptor;
  Object.defineProperty(target, key, descriptor);
}

/** Makes the application with one copy of everything, and asks it. */
exports.ask = async function ask({ common, core, adapter, nestjs, premier: { memory, Premier } }) {
  const { Controller, Get, Header, HttpCode, Inject, Injectable, Module, Param, ParseIntPipe, UseGuards } = common;
  const { CacheResponse, PremierModule, RateLimit } = nestjs;
  const premier = new Premier({ scope: 'class' });
  let closed = 0;
  let ran = 0;

  class NotTen {
    canActivate(context) {
      return context.switchToHttp().getRequest().params.id !== '10';
    }
  }
  Injectable()(NotTen);

  class Books {
    constructor(its) {
      this.its = its;
    }

    async find(id) {
      if (++ran % 2 === 1) throw new Error('not yet');
      return { id, keyspace: this.its.keyspace };
    }
  }
  Injectable()(Books);
  Inject(Premier)(Books, undefined, 0);
  decorate([premier.retry({ maxAttempts: 2, wait: 0 })], Books.prototype, 'find');

  class BooksController {
    constructor(books) {
      this.books = books;
    }

    find(id) {
      return this.books.find(id);
    }

    async kept() {
      return { ran: ++ran };
    }
  }
  const parameter = Param('id', ParseIntPipe);
  decorate(
    [
      premier.timeout(5),
      Get('books/:id'),
      premier.bulkhead({ maxConcurrent: 5 }),
      RateLimit({ quota: 2, duration: 60 }),
      UseGuards(NotTen),
      HttpCode(203),
      Header('X-Kind', 'book'),
      premier.retry({ wait: 0 }),
      (target, key) => parameter(target, key, 0),
    ],
    BooksController.prototype,
    'find',
  );
  decorate([Get('kept'), CacheResponse({ expireS: 60 })], BooksController.prototype, 'kept');
  Controller()(BooksController);
  Inject(Books)(BooksController, undefined, 0);

  const options = PremierModule.forRootAsync({
    useFactory: async () => {
      const provider = memory();
      const close = provider.close.bind(provider);
      provider.close = () => (closed++, close());
      return { keyspace: 'shop', provider };
    },
  });
  class AppModule {}
  Module({ imports: [options], controllers: [BooksController], providers: [Books] })(AppModule);

  const app = await core.NestFactory.create(AppModule, adapter, { logger: false });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const get = async (path) => {
    const response = await fetch(url + path);
    const { status, headers } = response;
    const fields = ['x-kind', 'retry-after', 'ratelimit-policy', 'x-ratelimit-remaining', 'x-cache'];
    const told = Object.fromEntries(fields.flatMap((name) => (headers.has(name) ? [[name, headers.get(name)]] : [])));
    return [status, told, await response.json()];
  };
  const answers = [await get('/books/7'), await get('/books/10'), await get('/books/8')];
  const kept = [await get('/kept'), await get('/kept')].map(([status, fields]) => [status, fields['x-cache']]);
  await app.close();
  const nest = Number.parseInt(require('@nestjs/core/package.json').version, 10);
  console.log(JSON.stringify({ nest, answers, kept, closed }));
};
