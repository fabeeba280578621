import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { PremierError } from '../../core/errors.js';
import { problemOf } from '../../http/problem.js';
import { PremierRpcFilter } from './premierRpcFilter.js';
import { PremierWsFilter } from './premierWsFilter.js';
import { logMistake, publicError } from './publicError.js';
import { setHeaders } from './setHeaders.js';
import type { WebResponse } from './webRequest.js';

/** Answers errors of Premier with their status, `Retry-After` and a body in Nest's shape; under GraphQL, with `extensions`. */
export class PremierFilter implements ExceptionFilter<PremierError> {
  readonly #adapters: HttpAdapterHost;

  constructor(adapters: HttpAdapterHost) {
    this.#adapters = adapters;
  }

  catch(error: PremierError, host: ArgumentsHost): unknown {
    switch (host.getType<string>()) {
      case 'graphql':
        return this.#graphql(error);
      case 'rpc':
        return rpc.catch(error);
      case 'ws':
        return ws.catch(error, host);
      default:
        return this.#http(error, host.switchToHttp().getResponse<WebResponse>());
    }
  }

  /** The body of the answer. For subclasses. */
  protected bodyOf(error: PremierError): object {
    return publicError(error);
  }

  #http(error: PremierError, response: WebResponse): void {
    logMistake(error);
    const { httpAdapter } = this.#adapters;
    if (httpAdapter.isHeadersSent(response)) {
      httpAdapter.end(response);
      return;
    }
    const { status, headers } = problemOf(error);
    setHeaders(this.#adapters, response, headers);
    httpAdapter.reply(response, this.bodyOf(error), status);
  }

  /** GraphQL takes an error that is returned for one that was thrown, and reads its `extensions`; Apollo makes headers of them. */
  #graphql(error: PremierError): Error {
    logMistake(error);
    const { status, headers } = problemOf(error);
    const { message, code } = publicError(error);
    const fields = new Map<string, string>();
    for (let i = 0; i < headers.length; i += 2) fields.set(headers[i] as string, headers[i + 1] as string);
    const told = Object.assign(new Error(message), { extensions: { code, http: { status, headers: fields } } });
    // Apollo sends stacks to clients unless NODE_ENV is `production`.
    told.stack = `Error: ${message}`;
    return told;
  }
}

const rpc = new PremierRpcFilter();
const ws = new PremierWsFilter();

Injectable()(PremierFilter);
Catch(PremierError)(PremierFilter);
Inject(HttpAdapterHost)(PremierFilter, undefined, 0);
