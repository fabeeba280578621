import { type Call, invoke, invokeRaw } from './call.js';
import { rejected } from './rejected.js';
import { Frame, Segment } from './frame.js';
import { LoneExit } from './loneExit.js';
import { type Around, type Behaviour, type Beside, type Next, Refusal } from './policy.js';

/**
 * Compiles policies, outermost first, into one runner. Policies around the call nest; neighbours beside it share one frame and one
 * promise. A stack in which every policy is `sync` keeps synchronous functions synchronous.
 */
export function compile(behaviours: readonly Behaviour[]): (call: Call) => unknown {
  const sync = behaviours.every((behaviour) => 'sync' in behaviour && behaviour.sync === true);
  if (!sync) return compileAround(behaviours);
  return (behaviours as readonly Beside[]).reduceRight((inner, level) => besideSync(level, inner), invokeRaw);
}

/** Levels of one segment: as many as there are bits in the set of those that were left. */
const mostLevels = 31;

function compileAround(behaviours: readonly Behaviour[]): Next {
  let next: Next = invoke;
  let end = behaviours.length;
  while (end > 0) {
    let start = end - 1;
    const last = behaviours[start] as Behaviour;
    if (isAround(last)) {
      next = around(last, next);
    } else {
      while (start > 0 && end - start < mostLevels && !isAround(behaviours[start - 1] as Behaviour)) start--;
      next = beside(behaviours.slice(start, end) as Beside[], next);
    }
    end = start;
  }
  return next;
}

function isAround(behaviour: Behaviour): behaviour is Around {
  return 'run' in behaviour;
}

function around(policy: Around, inner: Next): Next {
  return (call) => {
    try {
      return policy.run(call, inner);
    } catch (error) {
      return rejected(error);
    }
  };
}

/** Compiles neighbours beside the call from the inside out, so that what runs again when one of them recovers is compiled once. */
function beside(levels: readonly Beside[], inner: Next): Next {
  const rest = [inner];
  for (let i = levels.length - 1; i >= 0; i--) rest.unshift(segment(levels.slice(i), inner, [...rest]));
  return rest[0] as Next;
}

function segment(levels: readonly Beside[], inner: Next, rest: readonly Next[]): Next {
  const [only] = levels;
  if (levels.length > 1 || only === undefined) {
    const shape = new Segment(levels, inner, rest);
    return (call) => new Promise((resolve, reject) => new Frame(shape, call, resolve, reject).run());
  }
  if (only.early !== true) return alone(only, inner);
  return (call) => new Promise((resolve, reject) => new LoneExit(only, inner, call, resolve, reject).run());
}

/** The commonest stack, one policy that never ends a call early: nothing is made for it but what `then` needs. */
function alone(level: Beside, inner: Next): Next {
  return (call) => {
    let state: unknown;
    if (level.enter !== undefined) {
      try {
        state = level.enter(call);
      } catch (error) {
        return rejected(error);
      }
      if (state instanceof Refusal) return rejected(state.error);
    }
    return inner(call).then(
      level.success && ((value) => level.success?.(value, state, call, inner) ?? value),
      level.failure &&
        ((error: unknown) => {
          const other = level.failure?.(error, state, call, inner);
          if (other !== undefined) return other;
          throw error;
        }),
    );
  };
}

/** A policy that works around a synchronous function too: what comes from inside decides which it is. */
function besideSync(level: Beside, inner: (call: Call) => unknown): (call: Call) => unknown {
  const again = inner as Next;
  return (call) => {
    const state = level.enter?.(call);
    const failed = (error: unknown): never => {
      void level.failure?.(error, state, call, again);
      throw error;
    };
    let result: unknown;
    try {
      result = inner(call);
    } catch (error) {
      return failed(error);
    }
    if (result instanceof Promise) {
      return result.then((value: unknown) => {
        void level.success?.(value, state, call, again);
        return value;
      }, failed);
    }
    void level.success?.(result, state, call, again);
    return result;
  };
}
