import type { Beside } from '../../core/policy.js';
import type { Answer } from '../../http/exchange.js';
import { type RawHeaders, isNamed } from '../../http/headers.js';
import { Answered } from '../../http/problem.js';
import type { Features } from '../config/featureSchemas.js';
import { exchangeOf, type Feature } from '../feature.js';

/** Fields that are set or taken out: of the request as the upstream sees it, of every answer as the client sees it. */
export const headers: Feature<NonNullable<Features['headers']>> = {
  name: 'headers',
  upgrades: true,
  create({ request, response }) {
    const asserted = [...(request?.remove ?? []).flatMap((name) => [name, '']), ...Object.entries(request?.set ?? {}).flat()];
    const set = Object.entries(response?.set ?? {}).flat();
    const gone = [...Object.keys(response?.set ?? {}), ...(response?.remove ?? [])].map((name) => name.toLowerCase());
    const change = (answer: Answer): void => {
      answer.headers = [...without(answer.headers, gone), ...set];
    };
    const asking: Beside = {
      enter(call) {
        exchangeOf(call).assert.push(...asserted);
        return undefined;
      },
    };
    const answering: Beside = {
      success(value) {
        change(value as Answer);
        return undefined;
      },
      failure(error, _state, call) {
        if (error instanceof Answered) change(error.answer);
        else exchangeOf(call).reply.push(...set);
        return undefined;
      },
    };
    if (asserted.length === 0 && gone.length === 0) return [];
    return [{ ...(asserted.length > 0 && asking), ...(gone.length > 0 && answering) }];
  },
};

function without(fields: RawHeaders, gone: readonly string[]): RawHeaders {
  const kept: RawHeaders = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (!gone.some((one) => isNamed(name, one))) kept.push(name, fields[i + 1] as string);
  }
  return kept;
}
