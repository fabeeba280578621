import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { type Context, context, propagation, type Span, type SpanOptions, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api';
import { Call } from '../../src/core/call.js';
import { type Answer, Exchange } from '../../src/http/exchange.js';
import { headerOf, headersOf, type RawHeaders } from '../../src/http/headers.js';
import { Answered, Problem } from '../../src/http/problem.js';
import { correlate } from '../../src/observe/correlation.js';
import { randomHex } from '../../src/observe/randomHex.js';
import { Tracing } from '../../src/observe/tracing.js';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parentId = 'b7ad6b7169203331';
const parent = `00-${traceId}-${parentId}-01`;

const exchange = (headers: RawHeaders = [], method: string = 'GET'): Exchange =>
  new Exchange({
    method,
    path: '/api/users/1',
    query: '?token=secret',
    host: 'localhost:8000',
    scheme: 'http',
    client: '10.0.0.1',
    peer: '10.0.0.1',
    trusted: false,
    headers,
    body: undefined,
    origin: {},
    upgrade: undefined,
    started: 0,
  });
const correlated = (headers: RawHeaders = []): Exchange => {
  const made = exchange(headers);
  correlate(made);
  return made;
};

describe('correlation', () => {
  test('a valid id is taken, whatever the case of its field, and goes both ways', () => {
    for (const id of ['abc-123', 'A._-9', 'x'.repeat(128)]) {
      const made = correlated(['x-CORRELATION-id', id]);
      assert.equal(made.correlationId, id);
      assert.deepEqual(headersOf(made.reply, 'x-correlation-id'), [id]);
      assert.deepEqual(headersOf(made.assert, 'x-correlation-id'), [id]);
    }
  });

  test('an id that is no id is replaced', () => {
    for (const id of ['', 'x'.repeat(129), 'a b', 'a,b', 'a\r\nSet-Cookie: x', '<script>', 'ü']) {
      const made = correlated(['X-Correlation-ID', id]);
      assert.match(made.correlationId, /^[0-9a-f]{32}$/, id);
      assert.deepEqual(headersOf(made.reply, 'x-correlation-id'), [made.correlationId]);
    }
  });

  test('made ids never meet', () => {
    const ids = Array.from({ length: 20_000 }, () => randomHex(32));
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.every((id) => /^[0-9a-f]{32}$/.test(id)));
  });

  test('a valid traceparent is continued with a span of our own, and its tracestate passes', () => {
    const made = correlated(['traceparent', parent, 'tracestate', 'a=1']);
    assert.match(made.traceparent ?? '', new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    assert.doesNotMatch(made.traceparent ?? '', new RegExp(parentId));
    assert.equal(headerOf(made.assert, 'traceparent'), made.traceparent);
    assert.equal(headerOf(made.assert, 'tracestate'), undefined);
  });

  test('flags that are not known are not passed on, those that are stay', () => {
    const flagsOf = (flags: string): string | undefined => correlated(['traceparent', parent.slice(0, 53) + flags]).traceparent?.slice(53);
    assert.deepEqual(['00', '01', '02', '03', 'ff', '09'].map(flagsOf), ['00', '01', '02', '03', '03', '01']);
  });

  test('a later version is continued as ours', () => {
    const made = correlated(['traceparent', `cc-${traceId}-${parentId}-01-what-the-future-brings`]);
    assert.match(made.traceparent ?? '', new RegExp(`^00-${traceId}-`));
  });

  test('an invalid traceparent begins a new trace, and takes its tracestate with it', () => {
    const bad = [
      `ff-${traceId}-${parentId}-01`,
      `00-${'0'.repeat(32)}-${parentId}-01`,
      `00-${traceId}-${'0'.repeat(16)}-01`,
      `${parent}-more`,
      `cc-${traceId}-${parentId}-01.`,
      parent.toUpperCase(),
      parent.slice(1),
      '',
    ];
    for (const given of bad) {
      const made = correlated(['traceparent', given, 'tracestate', 'a=1']);
      assert.match(made.traceparent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      assert.doesNotMatch(made.traceparent ?? '', new RegExp(traceId), given);
      assert.equal(headerOf(made.assert, 'tracestate'), '', given);
    }
    const twice = correlated(['traceparent', parent, 'traceparent', parent]);
    assert.doesNotMatch(twice.traceparent ?? '', new RegExp(traceId));
  });
});

/** A span that remembers. */
class Remembered {
  name: string;
  readonly attributes: Record<string, unknown>;
  status: number | undefined;
  ended = 0;
  readonly spanId = randomHex(16);
  readonly traceId: string;

  constructor(
    name: string,
    readonly options: SpanOptions,
    readonly parent: string | undefined,
    trace: string | undefined,
  ) {
    this.name = name;
    this.attributes = { ...options.attributes };
    this.traceId = trace ?? randomHex(32);
  }
  spanContext(): object {
    return { traceId: this.traceId, spanId: this.spanId, traceFlags: 1 };
  }
  setAttribute(key: string, value: unknown): this {
    this.attributes[key] = value;
    return this;
  }
  setStatus({ code }: { code: number }): this {
    this.status = code;
    return this;
  }
  updateName(name: string): this {
    this.name = name;
    return this;
  }
  end(): void {
    this.ended++;
  }
}

/** Registers an SDK that remembers its spans. */
function sdk(): Remembered[] {
  const spans: Remembered[] = [];
  const startSpan = (name: string, options: SpanOptions, from: Context): Span => {
    const above = trace.getSpanContext(from);
    const span = new Remembered(name, options, above?.spanId, above?.traceId);
    spans.push(span);
    return span as unknown as Span;
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) as unknown as Tracer });
  return spans;
}

const call = (): Call => new Call({ fn: () => undefined, method: '/', form: 'function' }, undefined, [], undefined);
const answer = (status: number): Answer => ({ status, headers: [], body: undefined });
const load = async (): Promise<Tracing> => (await Tracing.load()) as Tracing;

describe('tracing', () => {
  afterEach(() => {
    trace.disable();
    context.disable();
    propagation.disable();
  });

  test('without an SDK the traceparent of the correlation stays, and nothing else happens', async () => {
    const tracing = await load();
    const made = correlated(['traceparent', parent]);
    const before = made.traceparent;
    tracing.begin(made);
    const forward = tracing.around(() => Promise.resolve(answer(200)), 'client');
    assert.equal((await forward(made, call())).status, 200);
    tracing.end(made, 200);
    assert.equal(made.traceparent, before);
  });

  test('a request is a SERVER span below its caller, and what is sent on a CLIENT span below that', async () => {
    const tracing = await load();
    const spans = sdk();
    const made = correlated(['traceparent', parent]);
    tracing.begin(made);
    let sent: string | undefined;
    const forward = tracing.around((asked) => {
      sent = headerOf(asked.assert, 'traceparent');
      asked.server = 'http://b:1';
      return Promise.resolve(answer(404));
    }, 'client');
    await forward(made, call());
    made.pattern = '/api/users/*';
    tracing.end(made, 404);
    const [server, client] = spans as [Remembered, Remembered];
    assert.deepEqual([server.name, server.traceId, server.parent, server.options.kind], ['GET /api/users/*', traceId, parentId, 1]);
    assert.deepEqual([client.traceId, client.parent, client.options.kind], [traceId, server.spanId, 2]);
    assert.equal(sent, `00-${traceId}-${client.spanId}-01`);
    assert.deepEqual([server.attributes['http.route'], server.attributes['http.response.status_code']], ['/api/users/*', 404]);
    assert.deepEqual([server.attributes['server.address'], server.attributes['server.port']], ['localhost', 8000]);
    assert.equal(client.attributes['server.address'], 'http://b:1');
    assert.deepEqual([server.status, client.status], [undefined, SpanStatusCode.ERROR], 'a 404 is no failure of the server');
    assert.deepEqual([server.ended, client.ended], [1, 1]);
    assert.doesNotMatch(JSON.stringify(spans), /secret/);
  });

  test('each attempt has a span, also one that throws', async () => {
    const tracing = await load();
    const spans = sdk();
    const made = correlated();
    tracing.begin(made);
    const thrown: Error[] = [new Answered(answer(503)), new Problem('bad_gateway')];
    const forward = tracing.around(() => Promise.reject(thrown.shift()), 'client');
    await assert.rejects(forward(made, call()), Answered);
    made.retries = 1;
    await assert.rejects(forward(made, call()), Problem);
    tracing.end(made, 502);
    const [server, first, second] = spans as [Remembered, Remembered, Remembered];
    assert.deepEqual([first.attributes['http.response.status_code'], first.status, first.ended], [503, SpanStatusCode.ERROR, 1]);
    assert.deepEqual([second.attributes['error.type'], second.status, second.ended], ['Problem', SpanStatusCode.ERROR, 1]);
    assert.equal(second.attributes['http.request.resend_count'], 1);
    assert.deepEqual([server.name, server.status, server.ended], ['GET', SpanStatusCode.ERROR, 1], 'what matched nothing has no route');
  });

  test('an SDK that is registered after the start is found, and a span ends once', async () => {
    const tracing = await load();
    tracing.begin(correlated());
    const spans = sdk();
    const made = correlated();
    tracing.begin(made);
    tracing.end(made, 200);
    tracing.end(made, 200);
    assert.deepEqual(
      spans.map(({ ended }) => ended),
      [1],
    );
  });

  test("the SDK's own propagator reads and writes its fields", async () => {
    const tracing = await load();
    const spans = sdk();
    propagation.setGlobalPropagator({
      fields: () => ['b3'],
      extract: (from, carrier, { get }) => {
        const id = String(get(carrier, 'B3'));
        return trace.setSpanContext(from, { traceId: id.slice(0, 32), spanId: id.slice(33), traceFlags: 1 });
      },
      inject: (from, carrier, { set }) => set(carrier, 'b3', String(trace.getSpanContext(from)?.spanId)),
    });
    const made = correlated(['b3', `${traceId}-${parentId}`]);
    tracing.begin(made);
    assert.deepEqual([spans[0]?.traceId, spans[0]?.parent], [traceId, parentId]);
    assert.equal(headerOf(made.assert, 'b3'), spans[0]?.spanId);
  });
});
