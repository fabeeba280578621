import { OptionsError } from '../core/errors.js';
import { isUnsafeRegex } from './config/regexSafety.js';
import { compilePattern } from './routerPattern.js';
import { type Route, RouteTree } from './routerTree.js';

/** What a router needs to know of a path. */
export interface Routed {
  readonly pattern: string;
  readonly methods?: readonly string[] | undefined;
  readonly host?: string | undefined;
  readonly enabled?: boolean | undefined;
}

/**
 * Finds the first path in file order that a request matches. What `methods`, `host` or `enabled: false` rule out falls through to the next.
 * A look-up costs about the same however many paths there are.
 */
export class Router<T extends Routed> {
  readonly #anyHost = new RouteTree<T>();
  /** By whole host, with its port where the path names one. */
  readonly #hosts = new Map<string, RouteTree<T>>();
  /** By what follows the `*`: `.example.com`. */
  readonly #below = new Map<string, RouteTree<T>>();

  /** Throws `OptionsError` on a pattern or host that cannot be. */
  constructor(paths: readonly T[]) {
    for (const [order, item] of paths.entries()) {
      if (item.enabled === false) continue;
      // Checked with the file too; nothing must get by.
      if (item.pattern.startsWith('^') && isUnsafeRegex(item.pattern))
        throw new OptionsError(`the pattern "${item.pattern}" takes ages on some paths: it repeats what repeats itself`);
      this.#treeFor(item.host).add({ item, order, pattern: compilePattern(item.pattern), methods: item.methods });
    }
  }

  /** `host` in lower case, with or without a port; `path` canonical. */
  match(method: string, host: string, path: string): T | undefined {
    let best = this.#anyHost.find(method, path, Infinity);
    if (this.#hosts.size === 0 && this.#below.size === 0) return best?.item;
    const [name, port] = nameAndPort(host);
    best = before(this.#hosts.get(name), method, path, best);
    if (port !== '') best = before(this.#hosts.get(name + port), method, path, best);
    for (let dot = name.indexOf('.', 1); dot !== -1; dot = name.indexOf('.', dot + 1))
      best = before(this.#below.get(name.slice(dot)), method, path, best);
    return best?.item;
  }

  #treeFor(host: string | undefined): RouteTree<T> {
    if (host === undefined || host === '*') return this.#anyHost;
    const below = host.startsWith('*.');
    const name = nameAndPort((below ? host.slice(1) : host).toLowerCase()).join('');
    if (below && name.includes(':')) throw new OptionsError(`host: "${host}" has a * and a port; write *.example.com`);
    if (name.includes('*')) throw new OptionsError(`host: "${host}" has a * that is not at its beginning; write *.example.com`);
    const trees = below ? this.#below : this.#hosts;
    const known = trees.get(name);
    if (known !== undefined) return known;
    const tree = new RouteTree<T>();
    trees.set(name, tree);
    return tree;
  }
}

function before<T>(tree: RouteTree<T> | undefined, method: string, path: string, best: Route<T> | undefined): Route<T> | undefined {
  return tree?.find(method, path, best?.order ?? Infinity) ?? best;
}

/** A host as paths know it: `a.test.`, `a.test:` and `a.test:080` are other spellings, which must not lead past the policies of its path. */
function nameAndPort(host: string): [name: string, port: string] {
  const colon = host.indexOf(':', host.lastIndexOf(']') + 1);
  let end = colon === -1 ? host.length : colon;
  while (host.endsWith('.', end)) end--;
  const port = colon === -1 ? '' : host.slice(colon + 1);
  return [host.slice(0, end), port === '' ? '' : `:${Number(port)}`];
}
