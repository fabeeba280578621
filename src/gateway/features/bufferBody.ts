import { Readable } from 'node:stream';
import type { Exchange } from '../../http/exchange.js';
import { welcomeBody } from '../../http/expect.js';
import { headerOf } from '../../http/headers.js';

/** The longest body that is kept for another attempt. */
const longestReplay = 1_048_576;

/** Reads the body into memory, so that it can be sent again. One that is too long goes on as a stream, nothing of it lost. */
export async function bufferBody(exchange: Exchange, limit: number = longestReplay): Promise<void> {
  const { body } = exchange;
  if (!(body instanceof Readable) || Number(headerOf(exchange.headers, 'content-length') ?? 0) > limit) return;
  welcomeBody(exchange);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const over = await new Promise<boolean>((resolve, reject) => {
    const take = (chunk: Uint8Array): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) settle(() => resolve(true));
    };
    const ended = (): void => settle(() => resolve(false));
    const broke = (error?: Error): void => settle(() => reject(error ?? new Error('the client went away')));
    const settle = (done: () => void): void => {
      body.off('data', take).off('end', ended).off('error', broke).off('close', broke);
      body.pause();
      done();
    };
    body.on('data', take).once('end', ended).once('error', broke).once('close', broke);
  });
  if (!over) exchange.body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
  else body.unshift(Buffer.concat(chunks));
}
