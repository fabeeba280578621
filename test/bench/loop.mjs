// Imported anew for each candidate, so that each has a call site of its own: one shared by all would make none of them inlinable.

/** Awaits `call` `count` times, over the arguments in turn from `start`. Returns where to go on. */
export async function loop(call, args, count, start) {
  let at = start;
  for (let i = 0; i < count; i++) {
    await call(args[at]);
    if (++at === args.length) at = 0;
  }
  return at;
}

let nothing = 0;

/** The same without `await`, for decisions that need none. Looks at every result, so that none can be left out. */
export function loopSync(call, args, count, start) {
  let at = start;
  for (let i = 0; i < count; i++) {
    if (call(args[at]) === undefined) nothing++;
    if (++at === args.length) at = 0;
  }
  return at;
}
