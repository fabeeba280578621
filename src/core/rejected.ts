const settled = Promise.resolve();

/**
 * A promise that is rejected in the next microtask. `Promise.reject` is four times dearer in Node: it is booked as unhandled before the
 * caller can attach a handler, and struck off again when it does.
 */
export function rejected(error: unknown): Promise<never> {
  return new Promise((_resolve, reject) => {
    void settled.then(() => reject(error));
  });
}
