import { memory, Premier } from './premier.mjs';

/** The decision of a limiter alone, as a store takes it: the algorithm and its numbers are those that a policy asks for. */
export async function decisions(policy, { quota, durationMs }, maxEntries) {
  const { algorithm, params } = await askedBy(policy, { quota, duration: durationMs / 1000 });
  const store = memory({ maxEntries }).open('bench:');
  return (key) => store.step(key, algorithm, params);
}

/** What a limiter hands to its provider, seen by standing in between. */
async function askedBy(policy, options) {
  const inner = memory();
  let asked;
  const provider = {
    step: (...given) => inner.step(...given),
    open(prefix) {
      const store = inner.open(prefix);
      return {
        step(key, algorithm, params) {
          asked = { algorithm, params };
          return store.step(key, algorithm, params);
        },
      };
    },
  };
  const limited = new Premier({ provider })[policy](options)(async function asking() {});
  await limited();
  return asked;
}
