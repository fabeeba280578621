import { randomUUID } from 'node:crypto';
import { Body, Controller, Get, NotFoundException, Param, Post, UnprocessableEntityException } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { CacheResponse, PremierHealthIndicator, RateLimit, SkipRateLimit } from 'premier/nestjs';
import { type Book, Catalogue } from './catalogue.js';

/** Books by HTTP: limited as the module says. */
@Controller('books')
export class BooksController {
  constructor(private readonly catalogue: Catalogue) {}

  @Get(':isbn')
  @CacheResponse({ expireS: '1m', tags: ['books'] })
  async find(@Param('isbn') isbn: string): Promise<Book> {
    const book = /^\d{13}$/.test(isbn) ? await this.catalogue.find(isbn) : undefined;
    if (book === undefined) throw new NotFoundException(`no book has the number ${isbn}`);
    return book;
  }
}

/** Orders: two in ten seconds for each client, and twenty in a day. */
@Controller('orders')
@RateLimit({
  limits: [
    { quota: 2, duration: '10s' },
    { quota: 20, duration: '1d' },
  ],
})
export class OrdersController {
  constructor(private readonly catalogue: Catalogue) {}

  @Post()
  async place(@Body('isbn') isbn: unknown): Promise<object> {
    const book = typeof isbn === 'string' && /^\d{13}$/.test(isbn) ? await this.catalogue.find(isbn) : undefined;
    if (book === undefined) throw new UnprocessableEntityException('an order needs the "isbn" of a book');
    return { id: randomUUID(), title: book.title };
  }
}

/** For whoever sends requests here: 503 while the library is out of reach, or Redis. */
@Controller('health')
@SkipRateLimit()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly premier: PremierHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.premier.check('premier', { circuits: ['library'] })]);
  }
}
