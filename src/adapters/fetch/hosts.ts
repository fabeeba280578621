import { OptionsError } from '../../core/errors.js';

interface Pattern<T> {
  /** `.internal` for `*.internal`; the whole name otherwise. */
  readonly name: string;
  readonly port: string;
  readonly wild: boolean;
  readonly of: T;
}

/** Finds what is said about a host: the most exact pattern wins, and one with a port is more exact than the same without. */
export class Hosts<T> {
  readonly #patterns: readonly Pattern<T>[];
  readonly #others: T;

  constructor(others: T, hosts: Readonly<Record<string, T>>, place: string) {
    this.#others = others;
    this.#patterns = Object.entries(hosts)
      .map(([pattern, of]) => parsed(pattern, of, place))
      .toSorted((a, b) => exactness(b) - exactness(a));
  }

  /** All that is said. */
  get all(): readonly T[] {
    return [this.#others, ...this.#patterns.map(({ of }) => of)];
  }

  /** What holds for an address. */
  of({ hostname, port, protocol }: URL): T {
    const [first] = this.#patterns;
    if (first === undefined) return this.#others;
    const its = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
    const found = this.#patterns.find(
      (pattern) =>
        (pattern.port === '' || pattern.port === its) && (pattern.wild ? hostname.endsWith(pattern.name) : hostname === pattern.name),
    );
    return found === undefined ? this.#others : found.of;
  }
}

function exactness({ name, port, wild }: Pattern<unknown>): number {
  return (wild ? 0 : 100_000) + name.length * 2 + (port === '' ? 0 : 1);
}

function parsed<T>(pattern: string, of: T, place: string): Pattern<T> {
  const wild = pattern.startsWith('*.');
  const [, host = '', port = ''] = /^(.*?)(?::(\d+))?$/.exec(wild ? pattern.slice(2) : pattern) ?? [];
  const name = canonical(host);
  if (name === undefined) {
    throw new OptionsError(
      `${place}: '${pattern}' in "hosts" is no host; write 'api.example.com', 'localhost:8080' or '*.internal', without a scheme or a path`,
    );
  }
  return { name: wild ? `.${name}` : name, port, wild, of };
}

/** A name as URLs have it: in lower case, international ones in ASCII. */
function canonical(host: string): string | undefined {
  if (host === '' || /[/\\?#@*\s]/.test(host) || !URL.canParse(`http://${host}`)) return undefined;
  return new URL(`http://${host}`).hostname;
}
