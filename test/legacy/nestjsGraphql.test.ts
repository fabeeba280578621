import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CanActivate, type ExecutionContext, Injectable, UseGuards } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Args, GraphQLModule, Int, Mutation, Query, Resolver } from '@nestjs/graphql';
import { CacheResponse, PremierModule, RateLimit } from '../../src/adapters/nestjs/index.js';
import { KeyError } from '../../src/core/errors.js';
import { Premier } from '../../src/premier.js';
import { type Reply, run, type Running } from './nestjsSupport.js';

const premier = new Premier();
let ran = 0;

@Injectable()
class NotTen implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.getArgByIndex<{ id?: number }>(1).id !== 10;
  }
}

@Resolver()
class BookResolver {
  @premier.retry({ maxAttempts: 3, wait: 0 })
  @Query(() => String)
  @UseGuards(NotTen)
  @premier.timeout(5)
  async book(@Args('id', { type: () => Int }) id: number): Promise<string> {
    if (++ran % 3 !== 0) throw new Error('not yet');
    return `book ${id}`;
  }

  @Query(() => String)
  @RateLimit({ quota: 2, duration: 60 })
  limited(): string {
    return 'ok';
  }

  @Query(() => String)
  @premier.fixedWindow({ quota: 1, duration: 60, keymaker: () => 'secret-key' })
  async inner(): Promise<string> {
    return 'ok';
  }

  @Query(() => String)
  mistake(): string {
    throw new KeyError('secret-key', 'args[0]');
  }

  @Query(() => Int)
  @CacheResponse({ expireS: 60, key: (context) => String(context.getArgByIndex<{ id: number }>(1).id) })
  kept(@Args('id', { type: () => Int }) _id: number): number {
    return ++ran;
  }

  @Query(() => Int)
  @CacheResponse({ expireS: 60 })
  unkept(): number {
    return ++ran;
  }

  @Mutation(() => String)
  @RateLimit({ quota: 1, duration: 60, key: () => 'all' })
  change(): string {
    return 'changed';
  }
}

interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions: Record<string, unknown> }[];
}

const contexts = {
  'as it is': undefined,
  'without a response': ({ req }: { req: object }) => ({ req: { headers: (req as { headers: object }).headers, ip: '192.0.2.1' } }),
  'without anything': () => ({ req: {} }),
} as const;

async function start(context: keyof typeof contexts): Promise<Running> {
  await premier.clearThrottle();
  const made = contexts[context];
  const graphql = GraphQLModule.forRoot<ApolloDriverConfig>({
    driver: ApolloDriver,
    autoSchemaFile: true,
    playground: false,
    graphiql: false,
    preserveHttpStatusForExecutionErrors: false,
    ...(made && { context: made }),
  });
  return run({ imports: [PremierModule.forRoot({ premier }), graphql], providers: [BookResolver] });
}

async function ask(nest: Running, query: string): Promise<Reply & { readonly answer: Answer }> {
  const headers = { 'content-type': 'application/json' };
  const reply = await nest.send('/graphql', { method: 'POST', body: JSON.stringify({ query }), headers });
  return { ...reply, answer: reply.json() as Answer };
}

describe('resolvers of GraphQL', () => {
  test('are retried, with their arguments and guards', async () => {
    await using nest = await start('as it is');
    ran = 0;
    assert.deepEqual((await ask(nest, '{ book(id: 7) }')).answer, { data: { book: 'book 7' } });
    assert.equal((await ask(nest, '{ book(id: 10) }')).answer.errors?.[0]?.extensions['code'], 'FORBIDDEN');
  });

  test('are limited, each field for itself, and the client is told by headers and extensions', async () => {
    await using nest = await start('as it is');
    const first = await ask(nest, '{ limited }');
    assert.deepEqual(first.answer, { data: { limited: 'ok' } });
    assert.equal(first.headers.get('x-ratelimit-remaining'), '1');
    const { answer, headers } = await ask(nest, '{ a: limited b: limited }');
    assert.deepEqual(
      answer.errors?.map(({ message, extensions }) => [message, extensions['code']]),
      [['Rate limit exceeded', 'PREMIER_QUOTA_EXCEEDED']],
    );
    assert.equal(headers.get('retry-after'), '60');
  });

  test('tell of errors neither stacks nor keys', async () => {
    await using nest = await start('as it is');
    await ask(nest, '{ inner }');
    for (const [field, status, code] of [
      ['inner', 429, 'PREMIER_QUOTA_EXCEEDED'],
      ['mistake', 500, 'PREMIER_KEY'],
    ] as const) {
      const reply = await ask(nest, `{ ${field} }`);
      assert.deepEqual([reply.status, reply.answer.errors?.[0]?.extensions['code']], [status, code]);
      assert.doesNotMatch(reply.text, /secret-key|\.js|\.ts/);
    }
  });

  test('are cached where a function says by what', async () => {
    await using nest = await start('as it is');
    const first = await ask(nest, '{ kept(id: 1) }');
    assert.equal((await ask(nest, '{ kept(id: 1) }')).text, first.text);
    assert.notEqual((await ask(nest, '{ kept(id: 2) }')).text, first.text);
    const other = await ask(nest, '{ unkept }');
    assert.notEqual((await ask(nest, '{ unkept }')).text, other.text);
  });

  test('are limited where their context has no response', async () => {
    await using nest = await start('without a response');
    await ask(nest, '{ a: limited b: limited }');
    assert.equal((await ask(nest, '{ limited }')).answer.errors?.[0]?.extensions['code'], 'PREMIER_QUOTA_EXCEEDED');
  });

  test('where their context has nothing at all, those with a key function are limited, and the others work', async () => {
    await using nest = await start('without anything');
    assert.deepEqual((await ask(nest, '{ a: limited b: limited c: limited }')).answer, { data: { a: 'ok', b: 'ok', c: 'ok' } });
    const { answer } = await ask(nest, 'mutation { a: change b: change }');
    assert.equal(answer.errors?.[0]?.extensions['code'], 'PREMIER_QUOTA_EXCEEDED');
  });
});
