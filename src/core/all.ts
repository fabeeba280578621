/** Waits until all are settled, and rejects with the first failure: one that fails keeps none of the others from being done. */
export async function all(actions: readonly Promise<unknown>[]): Promise<void> {
  for (const one of await Promise.allSettled(actions)) if (one.status === 'rejected') throw one.reason;
}
