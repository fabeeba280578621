import { Readable } from 'node:stream';
import { headerOf } from '../../http/headers.js';
import { Problem } from '../../http/problem.js';
import { watchBody } from '../../http/watchBody.js';
import type { Features } from '../config/featureSchemas.js';
import { aroundExchange, type Feature } from '../feature.js';

/** The longest body that is accepted: by what the request promises, and where it promises nothing, by what comes. */
export const bodyLimit: Feature<NonNullable<Features['body_limit']>> = {
  name: 'body_limit',
  upgrades: false,
  create: ({ max_bytes }) => [
    aroundExchange((exchange, next, call) => {
      const { body } = exchange;
      if (body === undefined) return next(call);
      const stream = body instanceof Readable;
      const promised = stream ? headerOf(exchange.headers, 'content-length') : body.length;
      if (promised !== undefined && Number(promised) > max_bytes) throw tooLarge();
      // Node's parser holds a request to the length that it promises.
      if (promised !== undefined || !stream) return next(call);

      let length = 0;
      let problem: Problem | undefined;
      // A call of its own: what lies inside is given up as soon as the body is too long, whether it reads the body or not.
      const inner = call.fork();
      watchBody(body, {
        chunk(bytes) {
          length += bytes.length;
          if (length > max_bytes) inner.abort((problem = tooLarge()));
          return problem;
        },
      });
      if (problem !== undefined) throw problem;
      return next(inner).catch((error: unknown) => {
        throw problem ?? error;
      });
    }),
  ],
};

/** The rest of the body is still on its way, so that the connection is of no more use. */
function tooLarge(): Problem {
  return new Problem('payload_too_large', { headers: ['connection', 'close'] });
}
