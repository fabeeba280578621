import 'reflect-metadata';
import assert from 'node:assert/strict';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import {
  type CallHandler,
  Controller,
  createParamDecorator,
  type ExecutionContext,
  Get,
  Headers,
  Injectable,
  Ip,
  type NestInterceptor,
  Param,
  Req,
  UseInterceptors,
} from '@nestjs/common';
import { map, type Observable } from 'rxjs';
import { CacheResponse, PremierModule } from '../../src/adapters/nestjs/index.js';
import { OptionsError } from '../../src/core/errors.js';
import { adapters, run } from './nestjsSupport.js';

interface Page {
  readonly tenant: string;
  readonly list: string[];
  readonly nested: { readonly seen: Map<string, Date> };
}

/** Changes what it gets, as some do. */
@Injectable()
class Marking implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler<Page>): Observable<Page> {
    return next.handle().pipe(
      map((page) => {
        page.list.push('marked');
        page.nested.seen.set('now', new Date(0));
        return page;
      }),
    );
  }
}

@Controller('t')
@UseInterceptors(Marking)
class PagesController {
  @Get(':tenant/*')
  @CacheResponse({ expireS: 60 })
  page(@Param('tenant') tenant: string): Page {
    return { tenant, list: [], nested: { seen: new Map() } };
  }
}

/** Asks with the address as it is written: `fetch` would tidy it up first. */
async function raw(url: string, path: string): Promise<{ tenant: string; list: string[]; kept: unknown }> {
  const { hostname, port } = new URL(url);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ hostname, port, path }, resolve).on('error', reject).end();
  });
  return { ...(JSON.parse(await text(response)) as Page), kept: response.headers['x-cache'] };
}

describe('@CacheResponse gives nobody what is for another', () => {
  for (const adapter of Object.keys(adapters) as (keyof typeof adapters)[]) {
    test(`whatever shape an address has, on ${adapter}`, async () => {
      await using nest = await run({ imports: [PremierModule.forRoot()], controllers: [PagesController] }, adapter);
      await raw(nest.url, '/t/evil/../victim/x');
      const victim = await raw(nest.url, '/t/victim/x');
      assert.deepEqual([victim.tenant, victim.kept], ['victim', 'MISS']);
    });

    test(`nor what an interceptor made of an answer before, on ${adapter}`, async () => {
      await using nest = await run({ imports: [PremierModule.forRoot()], controllers: [PagesController] }, adapter);
      const answers = [await raw(nest.url, '/t/a/x'), await raw(nest.url, '/t/a/x'), await raw(nest.url, '/t/a/x')];
      assert.deepEqual(
        answers.map(({ list, kept }) => [list, kept]),
        [
          [['marked'], 'MISS'],
          [['marked'], 'HIT'],
          [['marked'], 'HIT'],
        ],
      );
    });
  }

  test('and refuses handlers that read more of a request than its address, unless a key says what of it', () => {
    const Tenant = createParamDecorator(() => 'tenant');
    const parameters: [string, ParameterDecorator][] = [
      ['@Req()', Req()],
      ['@Headers()', Headers('x-tenant')],
      ['@Ip()', Ip()],
      ['a parameter decorator of your own', Tenant()],
    ];
    for (const [what, decorate] of parameters) {
      class Handlers {
        one(value: string): string {
          return value;
        }
      }
      decorate(Handlers.prototype, 'one', 0);
      const descriptor = Object.getOwnPropertyDescriptor(Handlers.prototype, 'one') as PropertyDescriptor;
      const refused = (error: Error): boolean => error instanceof OptionsError && error.message.includes(`Handlers.one reads ${what}`);
      assert.throws(() => CacheResponse({ expireS: 60 })(Handlers.prototype, 'one', descriptor), refused);
      assert.throws(() => CacheResponse({ expireS: 60 })(Handlers), refused);
      CacheResponse({ expireS: 60, key: 'header:x-tenant' })(Handlers.prototype, 'one', descriptor);
      CacheResponse({ expireS: 60, scope: () => 'all' })(Handlers);
    }
  });
});
