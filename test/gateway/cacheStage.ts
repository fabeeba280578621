import { Call } from '../../src/core/call.js';
import { Events } from '../../src/core/events.js';
import type { Runtime } from '../../src/core/policy.js';
import type { Provider } from '../../src/core/provider.js';
import { States } from '../../src/core/registry.js';
import { compile } from '../../src/core/run.js';
import { featureSchemas } from '../../src/gateway/config/featureSchemas.js';
import type { Forward } from '../../src/gateway/feature.js';
import { cache } from '../../src/gateway/features/cache.js';
import { throwFailures } from '../../src/gateway/features/failures.js';
import type { Body, Sink, Source } from '../../src/http/body.js';
import { collect } from '../../src/http/body.js';
import { type Answer, type Consumer, Exchange } from '../../src/http/exchange.js';
import { headerOf } from '../../src/http/headers.js';
import { Answered } from '../../src/http/problem.js';
import { memory } from '../../src/providers/memory.js';
import { FakeClock } from '../../src/testing/fakeClock.js';

/** What a test asks with. */
export interface Asking {
  readonly method?: string;
  readonly headers?: readonly string[];
  readonly consumer?: string;
  readonly body?: Uint8Array;
}

/** An answer as a client has it in the end. */
export interface Got {
  readonly status: number;
  readonly body: string;
  readonly cache: string | undefined;
  readonly exchange: Exchange;
  header(name: string): string | undefined;
}

/** What a test's upstream answers with. */
export function reply(body: Body | string, headers: readonly string[] = [], status = 200): Answer {
  return { status, headers: [...headers], body: typeof body === 'string' ? Buffer.from(body) : body };
}

/** A body whose chunks come when the test says so. */
export class Flow implements Source {
  sink: Sink | undefined = undefined;
  cancelled: Error | undefined = undefined;
  resumed = 0;
  start(sink: Sink): void {
    this.sink = sink;
  }
  resume(): void {
    this.resumed++;
  }
  cancel(reason: Error): void {
    this.cancelled ??= reason;
  }
}

/** The cache in front of an upstream that the test writes. */
export class Stage {
  readonly clock = new FakeClock();
  readonly runtime: Runtime;
  /** Every request that went up. */
  readonly asked: { readonly exchange: Exchange; readonly call: Call }[] = [];
  upstream: Forward = () => Promise.resolve(reply('hello'));

  constructor(provider?: (clock: FakeClock) => Provider) {
    this.runtime = {
      clock: this.clock,
      random: Math.random,
      events: new Events(() => this.clock.now()),
      provider: provider ? provider(this.clock) : memory({ clock: this.clock }),
      keyspace: 'test',
      logger: undefined,
      scope: undefined,
      registry: new States(),
      claim: () => undefined,
    };
  }

  /** The way through the cache with these options, as YAML has them. */
  path(options: Record<string, unknown> = {}, pattern = '*'): Way {
    const resolved = featureSchemas.cache.parse(options);
    const site = { fn: () => undefined, method: pattern, form: 'function' } as const;
    const behaviours = cache.create(resolved, {
      runtime: this.runtime,
      place: { site, ordinal: 0 },
      pattern,
      forwardTo: () => this.upstream,
      warn: () => undefined,
    });
    const last = {
      run: (call: Call) => {
        const exchange = call.args[0] as Exchange;
        this.asked.push({ exchange, call });
        return this.upstream(exchange, call);
      },
    };
    return new Way(site, compile([...behaviours, throwFailures(), last]) as (call: Call) => Promise<Answer>, this.clock);
  }
}

/** A compiled path that a test sends requests on. */
export class Way {
  constructor(
    readonly site: Call['site'],
    readonly run: (call: Call) => Promise<Answer>,
    readonly clock: FakeClock,
  ) {}

  exchange(target: string, { method = 'GET', headers = [], consumer, body }: Asking = {}): Exchange {
    const query = target.includes('?') ? target.indexOf('?') : target.length;
    const exchange = new Exchange({
      method,
      path: target.slice(0, query),
      query: target.slice(query),
      host: 'site.test',
      scheme: 'http',
      client: '192.0.2.1',
      peer: '192.0.2.1',
      trusted: false,
      headers: [...headers],
      body,
      origin: {},
      upgrade: undefined,
      started: this.clock.monotonic(),
    });
    if (consumer !== undefined) exchange.consumer = { id: consumer, roles: [], scopes: [], tier: undefined, claims: {} } satisfies Consumer;
    return exchange;
  }

  /** The head of the answer, its body not yet read. */
  open(target: string, asking: Asking = {}): { readonly call: Call; readonly exchange: Exchange; readonly answer: Promise<Answer> } {
    const exchange = this.exchange(target, asking);
    const call = new Call(this.site, undefined, [exchange], undefined);
    const answer = this.run(call).catch((error: unknown) => {
      if (error instanceof Answered) return error.answer;
      throw error;
    });
    return { call, exchange, answer };
  }

  async get(target: string, asking: Asking = {}): Promise<Got> {
    const { exchange, answer } = this.open(target, asking);
    const { status, headers, body } = await answer;
    const bytes = await collect(body, Infinity);
    return {
      status,
      body: Buffer.from(bytes ?? []).toString(),
      cache: headerOf(headers, 'x-cache'),
      exchange,
      header: (name) => headerOf(headers, name),
    };
  }
}

/** Lets everything run that waits for promises only. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
