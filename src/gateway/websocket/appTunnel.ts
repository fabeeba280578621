import { request as send } from 'node:http';
import type { Call } from '../../core/call.js';
import { fromReadable } from '../../http/body.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { removeHeader } from '../../http/headers.js';
import { asTheAppSees } from '../../http/nodeApp.js';
import { Problem } from '../../http/problem.js';
import { type AppConnection, appConnection } from './appSocket.js';
import { appUpgradesOf } from './appUpgrade.js';

/**
 * Hands a handshake to the app's own upgrade listeners, with a connection within the process in place of the client's. So an app is an
 * upstream like any other: what it answers goes through the policies, and its WebSocket is a tunnel, with limits, logs and a good end.
 */
export function forwardToUpgrade(exchange: Exchange, call: Call): Promise<Answer> {
  const { request, socket } = exchange.origin;
  const app = request && appUpgradesOf(request);
  if (request === undefined || socket === undefined || app === undefined || !app.listening) {
    return Promise.reject(new Problem('not_implemented', { message: 'There is no WebSocket here' }));
  }
  return new Promise((resolve, reject) => {
    const connection = appConnection(socket);
    call.onAbort((reason) => {
      connection.gateway.destroy();
      reject(reason);
    });
    readAnswer(connection.gateway, resolve, reject);
    try {
      app.emit(asTheAppSees(exchange, request), connection.app, nothing);
    } catch (error) {
      connection.gateway.destroy();
      reject(error);
    }
  });
}

/** The client's first bytes come through the connection, as all others. */
const nothing = Buffer.alloc(0);

/** Lets Node's own client read what the app answers. The request that this client insists on writing goes nowhere: the app has it. */
function readAnswer(gateway: AppConnection['gateway'], resolve: (answer: Answer) => void, reject: (error: unknown) => void): void {
  gateway.muted = true;
  const reader = send({ createConnection: () => gateway, headers: { Connection: 'Upgrade', Upgrade: 'websocket' } });
  reader.on('error', (cause) => {
    gateway.destroy();
    reject(new Problem('bad_gateway', { cause }));
  });
  reader.on('upgrade', ({ rawHeaders }, connection, head) => {
    gateway.muted = false;
    resolve({ status: 101, headers: rawHeaders, body: undefined, tunnel: { socket: connection, head } });
  });
  reader.on('response', (response) => {
    const headers = [...response.rawHeaders];
    for (const name of ['connection', 'keep-alive', 'transfer-encoding']) removeHeader(headers, name);
    resolve({ status: response.statusCode as number, headers, body: fromReadable(response) });
  });
  reader.end();
}
