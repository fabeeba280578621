/** Calls a function with a list of arguments. The commonest lists are short, and `call` is several times cheaper than `apply` then. */
export function apply<R>(fn: (this: unknown, ...args: never[]) => R, self: unknown, args: readonly unknown[]): R {
  switch (args.length) {
    case 0:
      return fn.call(self);
    case 1:
      return fn.call(self, args[0] as never);
    case 2:
      return fn.call(self, args[0] as never, args[1] as never);
    case 3:
      return fn.call(self, args[0] as never, args[1] as never, args[2] as never);
    default:
      return fn.apply(self, args as never[]);
  }
}
