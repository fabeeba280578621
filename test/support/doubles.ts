/** A function that throws the errors one after the other, then returns (or never does), and counts its calls. */
export function failing<T = string>(
  errors: readonly unknown[],
  result: T = 'done' as T,
  hanging = false,
): (() => Promise<T>) & { calls: number } {
  const next = async function failing(): Promise<T> {
    const error = errors[double.calls++];
    if (error !== undefined) throw error as Error;
    return hanging ? new Promise<T>(() => undefined) : result;
  };
  const double = Object.assign(next, { calls: 0 });
  return double;
}

/** How a promise ended; never rejects. */
export function outcome<T>(promise: Promise<T>): Promise<{ readonly value?: T; readonly error?: unknown }> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

/** A promise with its handles outside. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** A signal that is never aborted, and how many listeners it has. */
export function countingSignal(): { readonly signal: AbortSignal; readonly listeners: () => number } {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = ((...args: Parameters<typeof add>) => (listeners++, add(...args))) as typeof add;
  signal.removeEventListener = ((...args: Parameters<typeof remove>) => (listeners--, remove(...args))) as typeof remove;
  return { signal, listeners: () => listeners };
}
