import type { Awaitable } from '../../core/provider.js';
import type { Answer, Exchange } from '../../http/exchange.js';
import { answerOf, Problem, problemOf } from '../../http/problem.js';
import { type CircuitsOptions, listCircuits, resetCircuit } from './circuits.js';
import type { Health } from './health.js';
import { jsonAnswer, textAnswer } from './jsonAnswer.js';

/** What the own paths tell, and whom they obey. */
export interface OwnPathsOptions extends CircuitsOptions {
  readonly health: Health;
  /** Of this gateway, or of all its workers. */
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

/** Answers a request that is for the gateway itself; `undefined` for all others. It never throws. */
export type OwnPaths = (exchange: Exchange) => Awaitable<Answer> | undefined;

interface Own {
  /** The label of metrics and logs. */
  readonly pattern: string;
  readonly methods: readonly string[];
  answer(exchange: Exchange): Awaitable<Answer>;
}

const circuits = '/circuit-breakers';
const reset = '/reset';

/** The gateway's own paths, which are looked at before its routes. */
export function ownPaths(options: OwnPathsOptions): OwnPaths {
  const { health, metrics, breakers } = options;
  const read = ['GET', 'HEAD'];
  const exact: ReadonlyMap<string, Own> = new Map(
    [
      { pattern: '/health', methods: read, answer: () => healthAnswer(health) },
      { pattern: '/metrics', methods: read, answer: async () => textAnswer(await metrics.text(), metrics.contentType) },
      { pattern: circuits, methods: read, answer: () => listCircuits(breakers()) },
    ].map((own): [string, Own] => [own.pattern, own]),
  );
  const resetting: Own = {
    pattern: `${circuits}/*${reset}`,
    methods: ['POST'],
    answer: (exchange) => resetCircuit(exchange, exchange.path.slice(circuits.length + 1, -reset.length), options),
  };
  return (exchange) => {
    const { path } = exchange;
    const own = exact.get(path) ?? (isReset(path) ? resetting : isReserved(path) ? reserved : undefined);
    if (own === undefined) return undefined;
    exchange.pattern = own.pattern;
    return answered(own, exchange);
  };
}

/** What comes in a later version, and must not reach an upstream until then: a master key is sent to some of it. */
const reserved: Own = {
  pattern: '/admin/*',
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
  answer: () => {
    throw new Problem('not_implemented', { message: 'API keys and the dashboard come in a later version' });
  },
};

function isReserved(path: string): boolean {
  const maybe = path.startsWith('/admin/') || path.startsWith('/premier/');
  return maybe && /^\/(admin\/(generate_key|keys)|premier\/dashboard)(\/|$)/.test(path);
}

/** Whether a path resets a circuit, whose name in it is a pattern as a rule. */
export function isReset(path: string): boolean {
  return path.startsWith(`${circuits}/`) && path.endsWith(reset) && path.length > circuits.length + 1 + reset.length;
}

async function answered(own: Own, exchange: Exchange): Promise<Answer> {
  const { method } = exchange;
  try {
    if (!own.methods.includes(method)) throw new Problem('method_not_allowed', { headers: ['Allow', own.methods.join(', ')] });
    const answer = await own.answer(exchange);
    return method === 'HEAD' ? { ...answer, body: undefined } : answer;
  } catch (error) {
    return answerOf(problemOf(error), exchange.correlationId);
  }
}

async function healthAnswer(health: Health): Promise<Answer> {
  const report = await health.report();
  return jsonAnswer(report, report.status === 'draining' ? 503 : 200);
}
