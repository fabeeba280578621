import 'reflect-metadata';
import { Call, type Callable, type Site, callerOf } from './call.js';
import { OptionsError } from './errors.js';
import type { Behaviour, Policy } from './policy.js';
import { compile } from './run.js';

/** Any function. `any` is forced by variance: parameters of a function type are contravariant, and `never` would refuse callers. */
export type AnyFn = (this: any, ...args: any[]) => unknown;
/** Any function that returns a promise. */
export type AsyncFn = (this: any, ...args: any[]) => Promise<unknown>;
/** The parameters of callbacks, where nothing is written: they are what the decorated function is given. */
export type AnyArgs = any[];
/** A result or a `this` of which nothing is said. */
export type Anything = any;

/** What the compiler shows when a policy does not fit: its first argument is the sentence to read. */
export interface Reject<Reason extends string, Detail = never> {
  readonly premier: Reason;
  readonly detail: Detail;
}
interface Ok {
  readonly fits: true;
}

type Verdict<T extends AnyFn, F extends AnyFn, A extends readonly any[], R> = [ReturnType<T>] extends [ReturnType<F>]
  ? [F] extends [AsyncFn]
    ? [Promise<never>] extends [ReturnType<T>]
      ? Callbacks<T, A, R>
      : Reject<'the method must return a plain Promise', ReturnType<T>>
    : Callbacks<T, A, R>
  : Reject<'this policy needs an async method (one that returns a Promise)', ReturnType<T>>;

type Callbacks<T extends AnyFn, A extends readonly any[], R> = ((...a: A) => void) extends (...a: Parameters<T>) => void
  ? [R] extends [never]
    ? Ok
    : [R] extends [Awaited<ReturnType<T>>]
      ? Ok
      : Reject<'the fallback returns something that the method does not', { method: Awaited<ReturnType<T>>; fallback: R }>
  : Reject<"a callback's parameters do not accept the method's parameters", { method: Parameters<T>; callback: A }>;

type ThisVerdict<Self, This> = [Self] extends [This]
  ? Ok
  : Reject<"a callback's `this` does not fit the class", { class: Self; callback: This }>;

type Then<V, Out> = V extends Ok ? Out : V;

/** What a wrapped function has become: always async where the policy is, unchanged otherwise. */
type Wrapped<T extends AnyFn, F extends AnyFn> = [F] extends [AsyncFn]
  ? [ReturnType<T>] extends [Promise<unknown>]
    ? T
    : (this: ThisParameterType<T>, ...args: Parameters<T>) => Promise<Awaited<ReturnType<T>>>
  : T;

/** A function's parameters and result, checked as a method's are; a plain function may be synchronous. */
type FunctionVerdict<T extends AnyFn, F extends AnyFn, A extends readonly any[], R> = [F] extends [AsyncFn]
  ? Callbacks<T, A, R>
  : Verdict<T, F, A, R>;

/**
 * A policy in its three uses: a standard (TC39) decorator, a legacy (`experimentalDecorators`) decorator, and a higher-order
 * function. A decorated method must return a promise; a wrapped function may be synchronous, its wrapper is async.
 *
 * `F` is what the policy can stand around, `A` the parameters that its callbacks take, `R` what its fallback returns, `This` the
 * `this` of its callbacks.
 */
export interface Decorator<F extends AnyFn = AsyncFn, A extends readonly any[] = any[], R = never, This = any> {
  <T extends AnyFn, Self>(
    value: T,
    context: ClassMethodDecoratorContext<Self, T>,
  ): Then<Verdict<T, F, A, R>, Then<ThisVerdict<Self, This>, T>>;
  <T extends F, Self>(
    value: undefined,
    context: ClassFieldDecoratorContext<Self, T>,
  ): (this: Self, initial: T) => Then<Verdict<T, F, A, R>, Then<ThisVerdict<Self, This>, T>>;
  <T extends AnyFn, Target extends object>(
    target: Target,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<T>,
  ): Then<Verdict<T, F, A, R>, Then<ThisVerdict<Target, This>, TypedPropertyDescriptor<T>>>;
  <T extends AnyFn>(fn: Then<FunctionVerdict<T, F, A, R>, T>): Wrapped<T, F>;
}

/** A decorator whose types do not matter: what `pipe` takes. */
export type AnyDecorator = (...protocol: never[]) => unknown;

/** What stands around a function, outermost first. */
interface Plan {
  readonly site: Site;
  readonly policies: readonly Policy[];
  readonly behaviours: readonly Behaviour[];
}

const plans = new WeakMap<Callable, Plan>();
const policiesKey = Symbol.for('premier.policies');

/** A policy, or several (first is outermost), as one value with three uses. */
export function decorator<D>(...policies: readonly Policy[]): D {
  const apply = (...protocol: readonly unknown[]): unknown => {
    const [target, second, third] = protocol;
    if (isContext(second)) return standard(policies, target, second);
    if (protocol.length >= 2 && typeof second !== 'number') return legacy(policies, second as PropertyKey, third);
    return wrap(policies, target, 'function', undefined);
  };
  parts.set(apply, policies);
  return apply as D;
}

const parts = new WeakMap<object, readonly Policy[]>();

/** The policies inside a value that `decorator` made. */
export function policiesIn(made: unknown, place: string): readonly Policy[] {
  const found = typeof made === 'function' ? parts.get(made) : undefined;
  if (found) return found;
  throw new OptionsError(`${place} takes policies, such as premier.retry() or premier.timeout(2)`);
}

/** What decorates a function, outermost first; from metadata, so that another copy of the package reads it too. */
export function describe(fn: unknown): readonly PolicyDescription[] {
  if (typeof fn !== 'function') return [];
  return (Reflect.getOwnMetadata(policiesKey, fn) as readonly PolicyDescription[] | undefined) ?? [];
}

/** One policy of a decorated function. */
export interface PolicyDescription {
  readonly policy: string;
  /** The resolved options: durations in milliseconds, defaults filled in. */
  readonly options: object;
}

/** The original function under its policies. */
export function siteOf(fn: unknown): Site | undefined {
  return typeof fn === 'function' ? plans.get(fn as Callable)?.site : undefined;
}

interface StandardContext {
  readonly kind: string;
  readonly name: string | symbol;
}

function isContext(value: unknown): value is StandardContext {
  return typeof value === 'object' && value !== null && typeof (value as { kind?: unknown }).kind === 'string';
}

function standard(policies: readonly Policy[], target: unknown, context: StandardContext): unknown {
  const method = keyName(context.name);
  if (context.kind === 'method') return wrap(policies, target, 'method', method);
  if (context.kind === 'field') {
    return (initial: unknown) => wrap(policies, initial, 'method', method);
  }
  throw new OptionsError(`${names(policies)}: cannot decorate the ${context.kind} ${method}; decorate a method`);
}

function legacy(policies: readonly Policy[], key: PropertyKey, descriptor: unknown): unknown {
  const method = keyName(key);
  const own = descriptor as PropertyDescriptor | undefined;
  if (typeof own?.value !== 'function') {
    throw new OptionsError(`${names(policies)}: ${method} is no method; decorate a method`);
  }
  // In place, because `applyDecorators()` of NestJS and others drop what a decorator returns.
  own.value = wrap(policies, own.value, 'method', method);
  return own;
}

function wrap(policies: readonly Policy[], target: unknown, form: Site['form'], name: string | undefined): Callable {
  if (typeof target !== 'function') throw new OptionsError(`${names(policies)}: there is no function to put it around`);
  const original = target as Callable;
  const inner = plans.get(original);
  const method = name ?? inner?.site.method ?? original.name;
  const site: Site = inner
    ? { fn: inner.site.fn, form: form === 'method' ? form : inner.site.form, method }
    : { fn: original, form, method };
  const below = [...(inner?.policies ?? [])];
  const behaviours: Behaviour[] = [...(inner?.behaviours ?? [])];
  for (const policy of policies.toReversed()) {
    const ordinal = below.filter((other) => other.name === policy.name).length;
    behaviours.unshift(...policy.bind({ site, ordinal }));
    below.unshift(policy);
  }
  const wrapper = wrapperOf(site, compile(behaviours));
  copyOwn(original, wrapper);
  plans.set(wrapper, { site, policies: below, behaviours });
  const described = below.map(({ name: policy, options }): PolicyDescription => ({ policy, options }));
  Reflect.defineMetadata(policiesKey, described, wrapper);
  return wrapper;
}

function wrapperOf(site: Site, run: (call: Call) => unknown): Callable {
  return function (this: unknown, ...args: never[]) {
    return run(new Call(site, this, args, callerOf()));
  };
}

/** Name, length, own properties and own metadata: what routers, guards and documentation read from a method. */
function copyOwn(from: Callable, to: Callable): void {
  for (const key of Reflect.ownKeys(from)) {
    const own = Object.getOwnPropertyDescriptor(from, key) as PropertyDescriptor;
    const mine = Object.getOwnPropertyDescriptor(to, key);
    if (mine === undefined || mine.configurable === true) Object.defineProperty(to, key, own);
  }
  for (const key of Reflect.getOwnMetadataKeys(from)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, from), to);
  }
}

function keyName(key: PropertyKey): string {
  return typeof key === 'symbol' ? `[${key.description ?? ''}]` : String(key);
}

function names(policies: readonly Policy[]): string {
  return policies.map((policy) => policy.name).join(', ');
}
