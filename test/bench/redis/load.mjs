// Imported anew for each candidate, so that each has a call site of its own.

/** Calls `count` times, over the keys in turn, `inFlight` of them at a time. The first of these notes how long its calls took. */
export async function load(call, keys, count, inFlight, latencies) {
  let left = count;
  let at = 0;
  const next = () => {
    if (++at === keys.length) at = 0;
    return keys[at];
  };
  const worker = async () => {
    while (left-- > 0) await call(next());
  };
  const timed = async () => {
    while (left-- > 0) {
      const started = performance.now();
      await call(next());
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, i) => (i === 0 ? timed() : worker())));
}
