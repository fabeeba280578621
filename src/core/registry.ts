import type { Callable, Site } from './call.js';
import { OptionsError } from './errors.js';
import type { Registry } from './policy.js';

/** State of one Premier, by kind and name. */
export class States implements Registry {
  readonly #kinds = new Map<string, Map<string, unknown>>();

  get<T>(kind: string, name: string, make: () => T): T {
    const states = this.all<T>(kind);
    let state = states.get(name);
    if (state === undefined) states.set(name, (state = make()));
    return state;
  }

  all<T>(kind: string): Map<string, T> {
    let states = this.#kinds.get(kind);
    if (!states) this.#kinds.set(kind, (states = new Map()));
    return states as Map<string, T>;
  }
}

/** Which function has which name, for each policy that keeps state under it. */
export class Names {
  readonly #owners = new Map<string, { readonly fn: Callable; readonly explicit: boolean; readonly owner: unknown }>();

  claim(policy: string, name: string, site: Site, explicit: boolean, owner?: unknown): void {
    const key = `${policy} ${name}`;
    const first = this.#owners.get(key);
    if (first === undefined) {
      this.#owners.set(key, { fn: site.fn, explicit, owner });
      return;
    }
    if ((first.fn === site.fn && first.owner === owner) || (first.explicit && explicit)) return;
    throw new OptionsError(
      `${policy}: two functions (or two classes) are named '${name}', and would share their state; pass { name: '…' } to one of them ` +
        `(or the same name to both, to share on purpose)`,
    );
  }
}
