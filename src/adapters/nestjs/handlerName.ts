import type { ExecutionContext } from '@nestjs/common';
import { OptionsError } from '../../core/errors.js';

/** A method of a class that answers requests. */
export type Handler = Pick<ExecutionContext, 'getClass' | 'getHandler'>;

/** Where Nest keeps the path and the version of a controller. */
const pathKey = 'path';
const versionKey = '__version__';

/**
 * Names of handlers, under which limits count and answers are kept. The path and the version of a controller are part of it: many
 * applications have a `UsersController` for each version of their API.
 */
export class HandlerNames {
  readonly #owners = new Map<string, object>();
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  /** Throws `OptionsError` when two classes would have one name, and count or keep together what is not the same. */
  of(handler: Handler, place: 'class' | 'handler'): string {
    const owner = handler.getClass();
    const path: unknown = Reflect.getMetadata(pathKey, owner);
    const version: unknown = Reflect.getMetadata(versionKey, owner);
    const where = [path, version].filter((one) => one !== undefined && one !== '/');
    const name = where.length === 0 ? owner.name : `${owner.name}${JSON.stringify(where)}`;
    const first = this.#owners.get(name);
    if (first === undefined) this.#owners.set(name, owner);
    else if (first !== owner) throw new OptionsError(`${this.#what}: two classes are named ${name}; pass { name: '…' } to one of them`);
    return place === 'class' ? name : `${name}.${handler.getHandler().name}`;
  }
}

/** What is known of a handler, made when it is first called. A handler that two classes inherit is one for each of them. */
export class ByHandler<T> {
  readonly #known = new WeakMap<object, Map<unknown, T>>();
  readonly #make: (handler: Handler) => T;

  constructor(make: (handler: Handler) => T) {
    this.#make = make;
  }

  of(asked: Handler): T {
    const owner = asked.getClass();
    const handler = asked.getHandler();
    let handlers = this.#known.get(owner);
    if (handlers === undefined) this.#known.set(owner, (handlers = new Map()));
    const known = handlers.get(handler);
    if (known !== undefined || handlers.has(handler)) return known as T;
    const made = this.#make(asked);
    handlers.set(handler, made);
    return made;
  }
}
