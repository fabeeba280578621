import type { Pattern } from './routerPattern.js';

/** One route of a tree. */
export interface Route<T> {
  readonly item: T;
  /** Its place in the file: the lowest that matches counts. */
  readonly order: number;
  readonly pattern: Pattern;
  readonly methods: readonly string[] | undefined;
}

/** Routes by the literal text that their patterns begin with, so that a look-up walks along the path and not along the routes. */
export class RouteTree<T> {
  readonly #root = new Branch<T>('');

  /** Routes must come in the order of the file. */
  add(route: Route<T>): void {
    this.#root.add(route, route.pattern.prefix, 0);
  }

  /** The first route in file order that matches and comes before `bound`. */
  find(method: string, path: string, bound: number): Route<T> | undefined {
    let best: Route<T> | undefined;
    let limit = bound;
    let branch: Branch<T> = this.#root;
    let at = 0;
    for (;;) {
      const found = branch.used ? branch.find(method, path, at, limit) : undefined;
      if (found !== undefined) {
        best = found;
        limit = found.order;
      }
      if (at >= path.length) return best;
      const next: Branch<T> | undefined = branch.next(path.charCodeAt(at));
      if (next === undefined || next.first >= limit || (next.label.length > 1 && !path.startsWith(next.label, at))) return best;
      at += next.label.length;
      branch = next;
    }
  }
}

class Branch<T> {
  /** The lowest place in the file of anything here and below. */
  first = Infinity;
  /** Whether any route ends its prefix here, and not only below. */
  used = false;
  /** Routes whose prefix ends here and is all of their pattern; the others; and those of them whose last segment is known. */
  #exact: Route<T>[] | undefined = undefined;
  #open: Route<T>[] | undefined = undefined;
  #tails: Map<string, Route<T>[]> | undefined = undefined;
  /** By the first character of their label, from `#low` on. */
  #children: (Branch<T> | undefined)[] = [];
  #low = 0;

  constructor(readonly label: string) {}

  add(route: Route<T>, prefix: string, at: number): void {
    this.first = Math.min(this.first, route.order);
    if (at === prefix.length) {
      this.#keep(route);
      return;
    }
    const code = prefix.charCodeAt(at);
    const child = this.next(code);
    if (child === undefined) {
      const made = new Branch<T>(prefix.slice(at));
      this.#put(code, made);
      made.add(route, prefix, prefix.length);
      return;
    }
    let same = 1;
    while (same < child.label.length && child.label[same] === prefix[at + same]) same++;
    const into = same === child.label.length ? child : child.#split(same);
    if (into !== child) this.#put(code, into);
    into.add(route, prefix, at + same);
  }

  next(code: number): Branch<T> | undefined {
    return code < this.#low ? undefined : this.#children[code - this.#low];
  }

  find(method: string, path: string, at: number, limit: number): Route<T> | undefined {
    let best = this.#open && firstOf(this.#open, method, path, limit);
    if (this.#exact !== undefined && at === path.length) best = firstOf(this.#exact, method, path, best?.order ?? limit) ?? best;
    if (this.#tails !== undefined) {
      const routes = this.#tails.get(path.slice(path.lastIndexOf('/') + 1));
      if (routes !== undefined) best = firstOf(routes, method, path, best?.order ?? limit) ?? best;
    }
    return best;
  }

  #keep(route: Route<T>): void {
    this.used = true;
    const { exact, tail } = route.pattern;
    if (exact) (this.#exact ??= []).push(route);
    else if (tail === undefined) (this.#open ??= []).push(route);
    else {
      const tails = (this.#tails ??= new Map<string, Route<T>[]>());
      const routes = tails.get(tail);
      if (routes === undefined) tails.set(tail, [route]);
      else routes.push(route);
    }
  }

  /** The part above a fork, with this branch below it. */
  #split(length: number): Branch<T> {
    const above = new Branch<T>(this.label.slice(0, length));
    const below = new Branch<T>(this.label.slice(length));
    below.first = above.first = this.first;
    below.used = this.used;
    below.#exact = this.#exact;
    below.#open = this.#open;
    below.#tails = this.#tails;
    below.#children = this.#children;
    below.#low = this.#low;
    above.#put(below.label.charCodeAt(0), below);
    return above;
  }

  #put(code: number, child: Branch<T>): void {
    if (this.#children.length === 0) this.#low = code;
    while (code < this.#low) {
      this.#children.unshift(undefined);
      this.#low--;
    }
    while (this.#children.length <= code - this.#low) this.#children.push(undefined);
    this.#children[code - this.#low] = child;
  }
}

function firstOf<T>(routes: readonly Route<T>[], method: string, path: string, limit: number): Route<T> | undefined {
  for (const route of routes) {
    if (route.order >= limit) return undefined;
    if (admits(route.methods, method) && route.pattern.matches(path)) return route;
  }
  return undefined;
}

/** HEAD is GET without the body: what allows the one allows the other. */
function admits(methods: readonly string[] | undefined, method: string): boolean {
  return methods === undefined || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'));
}
