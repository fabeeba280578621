import 'reflect-metadata';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { type ArgumentsHost, type CanActivate, Controller, type ExecutionContext, Injectable, UseFilters, UseGuards } from '@nestjs/common';
import { ClientProxyFactory, MessagePattern, type MicroserviceOptions, Payload, Transport } from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { MessageBody, SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { firstValueFrom } from 'rxjs';
import { WebSocket, type WebSocketServer as Server } from 'ws';
import { PremierGuard, PremierModule, PremierRpcFilter, PremierWsFilter, RateLimit } from '../../src/adapters/nestjs/index.js';
import { QuotaExceedsError } from '../../src/core/errors.js';
import { Premier } from '../../src/premier.js';
import { compiled } from './nestjsSupport.js';

const premier = new Premier();
let ran = 0;

@Injectable()
class NotTen implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToRpc().getData<number>() !== 10;
  }
}

class Messages {
  @premier.retry({ maxAttempts: 3, wait: 0 })
  @MessagePattern('double')
  @UseGuards(NotTen)
  @premier.timeout(5)
  async double(@Payload() value: number): Promise<number> {
    if (++ran % 3 !== 0) throw new Error('not yet');
    return value * 2;
  }

  @MessagePattern('limited')
  @UseFilters(PremierRpcFilter)
  @premier.fixedWindow({ quota: 1, duration: 60 })
  async limited(): Promise<string> {
    return 'ok';
  }

  @RateLimit({ quota: 1, duration: 60, key: (context) => context.switchToRpc().getData<string>() })
  @MessagePattern('by-key')
  byKey(): string {
    return 'ok';
  }

  @RateLimit({ quota: 1, duration: 60 })
  @MessagePattern('by-ip')
  byIp(): string {
    return 'ok';
  }
}
Controller()(Messages);

test('handlers of a microservice are retried, limited by a key function, and tell of errors by code', async () => {
  await premier.clearThrottle();
  const module = await Test.createTestingModule({ imports: [PremierModule.forRoot({ premier })], controllers: [Messages] }).compile();
  const service = module.createNestMicroservice<MicroserviceOptions>({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port: 0 },
    logger: false,
  });
  await service.listen();
  const { port } = service.unwrap<{ address(): AddressInfo }>().address();
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
  const ask = (pattern: string, data: unknown): Promise<unknown> =>
    firstValueFrom(client.send<unknown>(pattern, data as object)).catch((error: unknown) => error);
  const refused = (answer: unknown): unknown[] => {
    const { status, message, code, retryAfter, ...more } = answer as Record<string, unknown>;
    assert.deepEqual(more, {});
    assert.ok(typeof retryAfter === 'number' && retryAfter > 0);
    return [status, message, code];
  };
  const expected = ['error', 'Rate limit exceeded', 'PREMIER_QUOTA_EXCEEDED'];
  try {
    ran = 0;
    assert.equal(await ask('double', 7), 14);
    assert.match(JSON.stringify(await ask('double', 10)), /error/);
    assert.equal(await ask('limited', 1), 'ok');
    assert.deepEqual(refused(await ask('limited', 1)), expected);
    assert.equal(await ask('by-key', 'ann'), 'ok');
    assert.deepEqual(refused(await ask('by-key', 'ann')), expected);
    assert.equal(await ask('by-key', 'bob'), 'ok');
    assert.deepEqual([await ask('by-ip', 1), await ask('by-ip', 1)], ['ok', 'ok']);
  } finally {
    await client.close();
    await service.close();
  }
});

@WebSocketGateway({ path: '/ws' })
@UseFilters(PremierWsFilter)
class Gateway {
  @WebSocketServer()
  server!: Server;

  @premier.retry({ maxAttempts: 3, wait: 0 })
  @SubscribeMessage('double')
  @premier.timeout(5)
  async double(@MessageBody() value: number): Promise<object> {
    if (++ran % 3 !== 0) throw new Error('not yet');
    return { event: 'doubled', data: value * 2 };
  }

  @SubscribeMessage('limited')
  @UseGuards(PremierGuard)
  @RateLimit({ quota: 1, duration: 60, key: (context) => context.switchToWs().getData<string>() })
  limited(): object {
    return { event: 'limited', data: 'ok' };
  }
}

describe('a gateway of WebSockets', () => {
  test('is retried, limited by a key function, and tells of errors by an event', async () => {
    const { app } = await compiled({ imports: [PremierModule.forRoot({ premier })], providers: [Gateway] });
    app.useWebSocketAdapter(new WsAdapter(app));
    await app.listen(0, '127.0.0.1');
    const socket = new WebSocket(`${(await app.getUrl()).replace('http', 'ws')}/ws`);
    try {
      await once(socket, 'open');
      const ask = async (event: string, data: unknown): Promise<{ event: string; data: unknown }> => {
        const answer = once(socket, 'message');
        socket.send(JSON.stringify({ event, data }));
        const [text] = (await answer) as [Buffer];
        return JSON.parse(text.toString()) as { event: string; data: unknown };
      };
      ran = 0;
      assert.deepEqual(await ask('double', 7), { event: 'doubled', data: 14 });
      assert.deepEqual(await ask('limited', 'ann'), { event: 'limited', data: 'ok' });
      const { event, data } = await ask('limited', 'ann');
      assert.equal(event, 'exception');
      const { retryAfter, ...told } = data as Record<string, unknown>;
      assert.ok((retryAfter as number) > 0);
      assert.deepEqual(told, { status: 'error', message: 'Rate limit exceeded', code: 'PREMIER_QUOTA_EXCEEDED' });
      assert.deepEqual(await ask('limited', 'bob'), { event: 'limited', data: 'ok' });
    } finally {
      socket.close();
      await app.close();
    }
  });

  test('tells a client of Socket.IO by an event too, and a client that is gone nothing', () => {
    const seen: unknown[] = [];
    const tell = (client: object): void => {
      const host = { switchToWs: () => ({ getClient: () => client }) };
      new PremierWsFilter().catch(new QuotaExceedsError('x', 1, 60, 3, 'secret-key'), host as unknown as ArgumentsHost);
    };
    tell({ emit: (...event: unknown[]) => seen.push(event) });
    tell({ emit: () => seen.push('here'), send: (text: string) => seen.push(text), readyState: WebSocket.CLOSING });
    const data = { status: 'error', message: 'Rate limit exceeded', code: 'PREMIER_QUOTA_EXCEEDED', retryAfter: 3 };
    assert.deepEqual(seen, [['exception', data]]);
  });
});
