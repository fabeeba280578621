import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';
import { PremierError } from '../../core/errors.js';
import { logMistake, messageOf } from './publicError.js';

/** Answers messages of microservices that failed with an error of Premier: `{ status: 'error', message, code, retryAfter }`. */
export class PremierRpcFilter implements RpcExceptionFilter<PremierError> {
  catch(error: PremierError): Observable<never> {
    logMistake(error);
    return throwError(() => messageOf(error));
  }
}

Catch(PremierError)(PremierRpcFilter);
