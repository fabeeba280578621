import type * as Api from '@opentelemetry/api';
import type { Call } from '../core/call.js';
import type { Answer, Exchange } from '../http/exchange.js';
import { headerOf, type RawHeaders, setHeader } from '../http/headers.js';
import { namedMethods } from '../http/methods.js';
import { Answered } from '../http/problem.js';
import { isTraceparent } from './correlation.js';

/** Sends an exchange on. */
type Forward = (exchange: Exchange, call: Call) => Promise<Answer>;

/** A span and the context that its children begin in. */
interface Open {
  readonly span: Api.Span;
  readonly context: Api.Context;
}

const getter: Api.TextMapGetter<RawHeaders> = {
  keys: (headers) => headers.filter((_, i) => i % 2 === 0),
  get: (headers, key) => headerOf(headers, key.toLowerCase()),
};
const setter: Api.TextMapSetter<RawHeaders> = { set: setHeader };

/** OpenTelemetry spans: a SERVER span for each request, and a CLIENT span for each time it is sent on. Without an SDK it does nothing. */
export class Tracing {
  readonly #api: typeof Api;
  readonly #open = new WeakMap<Exchange, Open>();
  #tracer: Api.Tracer | undefined;

  private constructor(api: typeof Api) {
    this.#api = api;
  }

  /** Tracing, where `@opentelemetry/api` is installed. */
  static async load(): Promise<Tracing | undefined> {
    try {
      return new Tracing(await import('@opentelemetry/api'));
    } catch {
      return undefined;
    }
  }

  /** A request came and was correlated: its span begins, and takes the place of what `correlate` said to the upstream. */
  begin(exchange: Exchange): void {
    const tracer = this.#find();
    if (tracer === undefined) return;
    const { trace, SpanKind } = this.#api;
    const parent = this.#parentOf(exchange);
    const [host, port] = splitHost(exchange.host);
    const span = tracer.startSpan(
      methodOf(exchange),
      {
        kind: SpanKind.SERVER,
        attributes: {
          // What the semantic conventions want for all else.
          'http.request.method': namedMethods.has(exchange.method) ? exchange.method : '_OTHER',
          'url.scheme': exchange.scheme,
          'url.path': exchange.path,
          'server.address': host,
          ...(port !== undefined && { 'server.port': port }),
          'client.address': exchange.client,
          'network.peer.address': exchange.peer,
          'premier.correlation_id': exchange.correlationId,
        },
      },
      parent,
    );
    this.#open.set(exchange, { span, context: this.#hand(exchange, parent, span, trace) });
  }

  /** The request is over. */
  end(exchange: Exchange, status: number): void {
    const open = this.#open.get(exchange);
    if (open === undefined) return;
    this.#open.delete(exchange);
    const { span } = open;
    if (exchange.pattern !== '*') {
      span.updateName(`${methodOf(exchange)} ${exchange.pattern}`);
      span.setAttribute('http.route', exchange.pattern);
    }
    this.#finish(span, status, status >= 500);
  }

  /** The same forward with a span around it, in which an app's own spans find their parent. */
  around(forward: Forward, kind: 'client' | 'internal'): Forward {
    return (exchange, call) => {
      const open = this.#tracer === undefined ? undefined : this.#open.get(exchange);
      return open === undefined ? forward(exchange, call) : this.#forward(forward, kind, exchange, call, open);
    };
  }

  async #forward(forward: Forward, kind: 'client' | 'internal', exchange: Exchange, call: Call, open: Open): Promise<Answer> {
    const { SpanKind, SpanStatusCode, context, trace } = this.#api;
    const attributes: Api.Attributes = { 'http.request.method': exchange.method, 'url.path': exchange.path };
    if (exchange.retries > 0) attributes['http.request.resend_count'] = exchange.retries;
    const options = { kind: kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL, attributes };
    const span = (this.#tracer as Api.Tracer).startSpan(methodOf(exchange), options, open.context);
    const inside = this.#hand(exchange, open.context, span, trace);
    try {
      const answer = await context.with(inside, () => forward(exchange, call));
      this.#named(span, exchange);
      this.#finish(span, answer.status, answer.status >= 400);
      return answer;
    } catch (error) {
      this.#named(span, exchange);
      if (error instanceof Answered) this.#finish(span, error.answer.status, error.answer.status >= 400);
      else {
        span.setAttribute('error.type', error instanceof Error ? error.name : '_OTHER');
        span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      }
      throw error;
    }
  }

  #named(span: Api.Span, { server }: Exchange): void {
    if (server !== undefined) span.setAttribute('server.address', server);
  }

  #finish(span: Api.Span, status: number, isError: boolean): void {
    span.setAttribute('http.response.status_code', status);
    if (isError) {
      span.setAttribute('error.type', String(status));
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
    }
    span.end();
  }

  /** Whom the request says it belongs to: in the words of the SDK's propagator, or in W3C's. */
  #parentOf(exchange: Exchange): Api.Context {
    const { propagation, ROOT_CONTEXT, trace } = this.#api;
    const extracted = propagation.extract(ROOT_CONTEXT, exchange.headers, getter);
    if (trace.getSpanContext(extracted) !== undefined) return extracted;
    const given = headerOf(exchange.headers, 'traceparent');
    if (given === undefined || !isTraceparent(given)) return extracted;
    const traceFlags = Number.parseInt(given.slice(53, 55), 16) & 1;
    return trace.setSpanContext(extracted, { traceId: given.slice(3, 35), spanId: given.slice(36, 52), traceFlags, isRemote: true });
  }

  /** Tells whoever gets the request next that this span is its parent. */
  #hand(exchange: Exchange, parent: Api.Context, span: Api.Span, trace: typeof Api.trace): Api.Context {
    const inside = trace.setSpan(parent, span);
    const { traceId, spanId, traceFlags } = span.spanContext();
    exchange.traceparent = `00-${traceId}-${spanId}-0${traceFlags & 3}`;
    setHeader(exchange.assert, 'traceparent', exchange.traceparent);
    setHeader(exchange.reply, 'traceparent', exchange.traceparent);
    this.#api.propagation.inject(inside, exchange.assert, setter);
    return inside;
  }

  /** The SDK's tracer, once there is one. The API's own provider says so without making spans that nobody keeps. */
  #find(): Api.Tracer | undefined {
    if (this.#tracer !== undefined) return this.#tracer;
    const provider = this.#api.trace.getTracerProvider() as Api.TracerProvider & Partial<Api.ProxyTracerProvider>;
    this.#tracer = provider.getDelegateTracer === undefined ? provider.getTracer('premier') : provider.getDelegateTracer('premier');
    return this.#tracer;
  }
}

function methodOf({ method }: Exchange): string {
  return namedMethods.has(method) ? method : 'HTTP';
}

/** `[::1]:80` and `example.com` in their parts. */
function splitHost(host: string): [name: string, port: number | undefined] {
  const [, name, port] = /^(.*?)(?::(\d+))?$/.exec(host) as unknown as [string, string, string | undefined];
  return [name, port === undefined ? undefined : Number(port)];
}
