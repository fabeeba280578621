import { KeyError, OptionsError, PremierError, RejectedError } from './errors.js';
import type { ErrorClass } from './options.js';

/** Which errors a policy looks at: classes that an option names, or a test. */
export interface Selection {
  readonly classes: readonly ErrorClass[] | undefined;
  readonly handle: ((error: unknown) => boolean) | undefined;
}

/**
 * The test for a policy's errors. Unless a class or a test asks for them, a policy leaves alone what is no failure of the function:
 * refusals by other policies, wrong options and keys, and `AbortError`s. A test that throws counts as "no", and `failed` hears of it.
 */
export function selector({ classes, handle }: Selection, failed: (error: unknown) => void): (error: unknown) => boolean {
  if (handle) {
    return (error) => {
      try {
        return handle(error) === true;
      } catch (thrown) {
        failed(thrown);
        return false;
      }
    };
  }
  if (!classes) return (error) => !isRefusal(error) && !isAbort(error);
  const asked = classes.some((one) => one.prototype instanceof RejectedError || one === RejectedError);
  const named = classes.filter((one) => one !== (Error as ErrorClass) && one !== (PremierError as ErrorClass));
  return (error) => {
    if (isRefusal(error) && !asked) return named.some((one) => error instanceof one);
    return classes.some((one) => error instanceof one);
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof RejectedError || error instanceof OptionsError || error instanceof KeyError;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
