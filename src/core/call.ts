import { apply } from './apply.js';
import { OptionsError } from './errors.js';

/** The function under its policies: what a `Call` takes its name from. */
export interface Site {
  /** The original function. */
  readonly fn: Callable;
  /** `find`; for a wrapped function its own name. */
  readonly method: string;
  /** How the function came under its policy: only methods take the class of `this` into their name. */
  readonly form: 'method' | 'function';
}

/** Any function, seen from inside Premier. */
export type Callable = (this: unknown, ...args: never[]) => unknown;

/** Stops listening. */
export type Unsubscribe = () => void;

/**
 * One invocation of a decorated or wrapped function. A policy sees it, and may hand on a `fork` of it with other arguments or a
 * shorter life. Aborting a call aborts its forks, never its parent.
 */
export class Call<Args extends readonly unknown[] = readonly unknown[]> {
  /** What is only made for calls that are aborted, or whose signal is read. */
  private life: Life | undefined = undefined;

  constructor(
    readonly site: Site,
    readonly self: unknown,
    readonly args: Args,
    private readonly parent: Call | undefined,
  ) {}

  /** `Users.find`: for keys, metrics and logs. */
  get name(): string {
    return nameOf(this.site, this.self);
  }

  /** Aborted when this call must stop: by a `timeout`, a lost `hedge` or the caller. Made on first read, never aborted on success. */
  get signal(): AbortSignal {
    const life = (this.life ??= new Life());
    if (life.controller === undefined) {
      const controller = (life.controller = new AbortController());
      this.onAbort((reason) => controller.abort(reason));
    }
    return life.controller.signal;
  }

  /** Whether this call, or one above it, was aborted. */
  get aborted(): boolean {
    return this.life?.aborted === true || (this.parent?.aborted ?? false);
  }

  /** Why it was aborted. */
  get reason(): unknown {
    return this.life?.aborted === true ? this.life.reason : this.parent?.reason;
  }

  /** A call within this one: aborted with it, or alone. */
  fork(args: Args = this.args): Call<Args> {
    return new Call(this.site, this.self, args, this);
  }

  /** The same call without a caller: what several callers share must not stop when one of them does. */
  detach(): Call<Args> {
    return new Call(this.site, this.self, this.args, undefined);
  }

  /** Stops this call and its forks. Only the first reason counts. */
  abort(reason: unknown): void {
    const life = (this.life ??= new Life());
    if (life.aborted) return;
    life.aborted = true;
    life.reason = reason;
    life.watchers.tell(reason);
  }

  /** Whether anything above could abort this call. */
  get nested(): boolean {
    return this.parent !== undefined;
  }

  /** Calls `watcher` once when this call, or one above it, is aborted; at once if it was. */
  onAbort(watcher: (reason: unknown) => void): Unsubscribe {
    if (this.aborted) {
      watcher(this.reason);
      return () => undefined;
    }
    const own = (this.life ??= new Life());
    const once = (reason: unknown): void => {
      forget();
      watcher(reason);
    };
    const forget = (): void => {
      own.forgets.remove(forget);
      this.unwatch(once);
    };
    own.forgets.add(forget);
    this.watch(once);
    return forget;
  }

  /** The call is over: nothing that watched it is kept by the calls above. */
  release(): void {
    this.life?.forgets.tell();
  }

  private watch(watcher: (reason: unknown) => void): void {
    (this.life ??= new Life()).watchers.add(watcher);
    this.parent?.watch(watcher);
  }

  private unwatch(watcher: (reason: unknown) => void): void {
    this.life?.watchers.remove(watcher);
    this.parent?.unwatch(watcher);
  }
}

class Life {
  controller: AbortController | undefined = undefined;
  /** Who watches this call, or one below it. */
  readonly watchers: Crowd<[reason: unknown]> = new Crowd();
  /** How the watchers of this call itself are forgotten. */
  readonly forgets: Crowd<[]> = new Crowd();
  aborted = false;
  reason: unknown = undefined;
}

/** Functions to call, in the order in which they came. Nearly always it is one, for which a `Set` would cost more than the rest. */
class Crowd<Args extends readonly unknown[]> {
  private one: ((...args: Args) => void) | undefined = undefined;
  private others: Set<(...args: Args) => void> | undefined = undefined;

  add(member: (...args: Args) => void): void {
    if (this.one === undefined && this.others === undefined) this.one = member;
    else (this.others ??= new Set()).add(member);
  }

  remove(member: (...args: Args) => void): void {
    if (this.one === member) this.one = undefined;
    else this.others?.delete(member);
  }

  /** Those that are removed meanwhile are not called any more. */
  tell(...args: Args): void {
    this.one?.(...args);
    if (this.others !== undefined) for (const other of this.others) other(...args);
  }
}

/** `Class.method`, with the class of `this`; a function's own name otherwise. */
export function nameOf(site: Site, self: unknown): string {
  if (site.form === 'function' || self === undefined || self === null) return site.method;
  const owner = typeof self === 'function' ? self.name : (self as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof owner === 'string' && owner !== '' ? `${owner}.${site.method}` : site.method;
}

let current: Call | undefined;

/** Where the current call is kept beyond the first `await`; set by `asyncContext: true`. */
interface Context {
  run<T>(call: Call, action: () => T): T;
  getStore(): Call | undefined;
}
let context: Context | undefined;

/** From now on `currentCall()` answers anywhere below a call, for the price of an `AsyncLocalStorage`. */
export function useAsyncContext(storage: Context): void {
  context ??= storage;
}

/** The call whose function is running now, synchronously (or, with `asyncContext`, anywhere below). */
export function currentCall(): Call | undefined {
  return current ?? context?.getStore();
}

/** The call that makes calls now, synchronously: they end with it. */
export function callerOf(): Call | undefined {
  return current;
}

/**
 * The current call's `AbortSignal`: `fetch(url, { signal: currentSignal() })`. Read it before the first `await`.
 * Throws `OptionsError` outside a decorated or wrapped function.
 */
export function currentSignal(): AbortSignal {
  const call = currentCall();
  if (call) return call.signal;
  throw new OptionsError(
    'signal: there is no current call here. Read it inside a decorated or wrapped function, before its first await ' +
      '(or make the Premier with { asyncContext: true })',
  );
}

/** Runs `action` as if no call made it: what it starts does not end with anybody's call. */
export function uncalled<T>(action: () => T): T {
  const before = current;
  current = undefined;
  try {
    return action();
  } finally {
    current = before;
  }
}

/** Runs the function itself, as it is: what it returns or throws. */
export function invokeRaw(call: Call): unknown {
  if (context) return context.run(call, () => invokeHere(call));
  return invokeHere(call);
}

function invokeHere(call: Call): unknown {
  const before = current;
  current = call;
  try {
    return apply(call.site.fn, call.self, call.args);
  } finally {
    current = before;
  }
}

/** Runs the function itself; whatever it does comes back as a promise. */
export function invoke(call: Call): Promise<unknown> {
  try {
    const result = invokeRaw(call);
    return result instanceof Promise ? result : Promise.resolve(result);
  } catch (error) {
    return Promise.reject(error);
  }
}
