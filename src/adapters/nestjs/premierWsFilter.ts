import { type ArgumentsHost, Catch, type WsExceptionFilter } from '@nestjs/common';
import { PremierError } from '../../core/errors.js';
import { logMistake, messageOf } from './publicError.js';

/** Tells the client of a WebSocket gateway of an error of Premier, by an `exception` event as Nest's own filter does. */
export class PremierWsFilter implements WsExceptionFilter<PremierError> {
  catch(error: PremierError, host: ArgumentsHost): void {
    logMistake(error);
    const client = host.switchToWs().getClient<Client>();
    const data = messageOf(error);
    // A client of `ws` has `emit` too, which tells nobody but this process.
    if (typeof client.readyState !== 'number') client.emit('exception', data);
    else if (client.readyState === open) client.send(JSON.stringify({ event: 'exception', data }));
  }
}

const open = 1;

/** A client of Socket.IO, or one of `ws`. */
interface Client {
  readonly readyState?: unknown;
  emit(event: string, data: unknown): unknown;
  send(text: string): unknown;
}

Catch(PremierError)(PremierWsFilter);
