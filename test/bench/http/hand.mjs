// A proxy as one would write it by hand for speed alone: raw header arrays from end to end, undici's dispatch, and a short answer that
// goes out with its head as one text. It has no policies, no routes, no metrics, and few of the checks that a gateway needs.
import { createServer } from 'node:http';
import { Pool } from 'undici';

const hop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'x-forwarded-for',
  'content-length',
]);
const short = 16_384;

class Trip {
  constructor(request, response) {
    this.request = request;
    this.response = response;
    this.abort = undefined;
    this.headers = undefined;
    this.status = 0;
    this.first = undefined;
    this.begun = false;
    this.over = false;
    response.on('close', () => {
      if (!this.over) this.abort?.();
    });
  }

  onConnect(abort) {
    this.abort = abort;
  }

  onHeaders(status, raw, resume) {
    if (status < 200) return true;
    const headers = [];
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i].latin1Slice(0, raw[i].length);
      const lower = name.toLowerCase();
      if (lower === 'content-length' || !hop.has(lower)) headers.push(name, raw[i + 1].latin1Slice(0, raw[i + 1].length));
    }
    this.status = status;
    this.headers = headers;
    this.response.on('drain', resume);
    return true;
  }

  onData(chunk) {
    if (!this.begun) {
      if (this.first === undefined && chunk.length < short) {
        this.first = chunk;
        return true;
      }
      this.begun = true;
      this.response.writeHead(this.status, this.headers);
      if (this.first !== undefined) this.response.write(this.first);
    }
    return this.response.write(chunk);
  }

  onComplete() {
    this.over = true;
    if (this.begun) this.response.end();
    else {
      this.response.writeHead(this.status, this.headers);
      if (this.first === undefined) this.response.end();
      else this.response.end(this.first.latin1Slice(0, this.first.length), 'latin1');
    }
  }

  onError() {
    this.over = true;
    if (this.response.headersSent) this.response.destroy();
    else this.response.writeHead(502).end();
  }
}

export const start = (backend) =>
  new Promise((resolve) => {
    const pool = new Pool(backend, { connections: 256, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
    const host = backend.slice('http://'.length);
    const server = createServer((request, response) => {
      const { rawHeaders, method } = request;
      const headers = ['host', host];
      let hasBody = false;
      for (let i = 0; i < rawHeaders.length; i += 2) {
        const lower = rawHeaders[i].toLowerCase();
        if (lower === 'content-length' || lower === 'transfer-encoding') hasBody = true;
        if (lower === 'content-length' || !hop.has(lower)) headers.push(rawHeaders[i], rawHeaders[i + 1]);
      }
      headers.push('x-forwarded-for', request.socket.remoteAddress);
      pool.dispatch({ path: request.url, method, headers, body: hasBody ? request : null }, new Trip(request, response));
    });
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
