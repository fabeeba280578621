import { type Around, definePolicy, options } from 'premier';

/** Options of `serialize`. */
export interface SerializeOptions {
  /** Which calls stand in line together. All of them by default. */
  key?: (...args: never[]) => string;
}

/** Runs the calls of a key one after the other, in the order in which they came. */
export const serialize = definePolicy({
  name: 'serialize',
  options: options.schema<SerializeOptions>('serialize')({ key: options.fn<(...args: unknown[]) => string>() }),
  create({ key }): Around {
    const last = new Map<string, Promise<unknown>>();
    return {
      run(call, next) {
        const line = key ? key.apply(call.self, [...call.args]) : '';
        const turn = (last.get(line) ?? Promise.resolve()).then(() => next(call));
        const over = turn
          .catch(() => undefined)
          .then(() => {
            if (last.get(line) === over) last.delete(line);
          });
        last.set(line, over);
        return turn;
      },
    };
  },
});
