import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { endAfter, isTooLate } from '../http/connection.js';
import { answerOf, Problem, type ProblemType } from '../http/problem.js';
import { randomHex } from '../observe/randomHex.js';

const types: Readonly<Record<string, ProblemType>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'payload_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** Answers what was no HTTP, or came too slowly, and ends the connection: nobody knows where another request would begin on it. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else refuse(new Problem(types[error.code ?? ''] ?? 'bad_request'), socket);
}

/** Refuses to be an open proxy: Node brings what asks for one past every listener of requests. */
export function refuseConnect(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => undefined);
  refuse(new Problem('method_not_allowed'), socket);
}

function refuse(problem: Problem, socket: Duplex): void {
  const { _httpMessage: response } = socket as { _httpMessage?: ServerResponse | null };
  if (response === undefined || response === null) return write(problem, socket);
  // An earlier request still waits: this answer would be taken for its own, or stand in the middle of it (response splitting).
  if (response.req.complete) finishWith(response, socket);
  else if (response.headersSent) socket.destroy();
  else write(problem, socket);
}

/** Lets an answer under way be the last one. */
function finishWith(response: ServerResponse, socket: Duplex): void {
  if (isTooLate(response.req)) return;
  endAfter(response.req);
  response.shouldKeepAlive = false;
  response.once('finish', () => socket.end());
}

function write(problem: Problem, socket: Duplex): void {
  const { status, headers, body } = answerOf(problem, randomHex(32));
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  const head = Buffer.from(`${text}connection: close\r\n\r\n`, 'latin1');
  socket.end(Buffer.concat([head, body]), () => socket.destroy());
}
