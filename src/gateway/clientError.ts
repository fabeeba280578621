import type { Duplex } from 'node:stream';
import { answerOf, Problem, type ProblemType } from '../http/problem.js';
import { randomHex } from '../observe/randomHex.js';

const types: Readonly<Record<string, ProblemType>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** Answers what was no HTTP, or came too slowly, and ends the connection: nobody knows where another request would begin on it. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = answerOf(new Problem(types[error.code ?? ''] ?? 'bad_request'), randomHex(32));
  const lines: string[] = [];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  const head = `HTTP/1.1 ${status} ${status === 431 ? 'Request Header Fields Too Large' : status === 408 ? 'Request Timeout' : 'Bad Request'}\r\n${lines.join('\r\n')}\r\nconnection: close\r\n\r\n`;
  socket.end(Buffer.concat([Buffer.from(head, 'latin1'), body as Uint8Array]), () => socket.destroy());
}
