/** The pages that are let in, as a file lists them: `https://app.test`, `https://*.example.com`, or `*` for all. */
export class Origins {
  /** Whether all are. */
  readonly any: boolean;
  /** Whether nothing is listed. */
  readonly none: boolean;
  readonly #listed: ReadonlySet<string>;
  /** What stands before and after the `*`. */
  readonly #below: readonly (readonly [start: string, end: string])[];

  constructor(origins: readonly string[]) {
    const all = origins.map(plainOrigin);
    this.any = all.includes('*');
    this.none = all.length === 0;
    this.#listed = new Set(all.filter((origin) => !origin.includes('*')));
    this.#below = all
      .filter((origin) => origin.length > 1 && origin.includes('*'))
      .map((origin) => origin.split('*', 2) as [string, string]);
  }

  /** Whether this one is listed: `*` alone says nothing about it. */
  lists(origin: string): boolean {
    const plain = plainOrigin(origin);
    return this.#listed.has(plain) || this.#below.some(([start, end]) => isBelow(plain, start, end));
  }
}

/** Only names may stand for the `*`: a `/`, `:` or `@` would lead to another host. */
function isBelow(origin: string, start: string, end: string): boolean {
  if (origin.length <= start.length + end.length || !origin.startsWith(start) || !origin.endsWith(end)) return false;
  return /^[a-z0-9.-]+$/.test(origin.slice(start.length, origin.length - end.length));
}

/** An origin in lower case, without a slash at the end and without the default port of its scheme. */
export function plainOrigin(origin: string): string {
  return origin
    .trim()
    .toLowerCase()
    .replace(/\/+$/, '')
    .replace(/^(http:\/\/.*):80$|^(https:\/\/.*):443$/, '$1$2');
}
