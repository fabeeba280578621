/**
 * The only place where keys are joined. A key is `<keyspace>:<what>:<name>:<rest>`; names are escaped, so that no name reaches into
 * its neighbour, and clearing `app` never touches `app2`.
 */

/** What Premier keeps in a provider. */
export type Kind = (typeof kinds)[number];

const kinds = ['cacheResult', 'throttle', 'circuit', 'tags', 'lock', 'names'] as const;

/** The prefix of everything of one kind in a keyspace; with a name, of what one function or limiter keeps. */
export function prefixOf(keyspace: string, kind: Kind, name?: string): string {
  const space = whole(keyspace);
  return name === undefined ? `${space}:${kind}:` : `${space}:${kind}:${escapePart(name)}:`;
}

/** A name in which no separator is left. */
export function escapePart(part: string): string {
  return whole(part.replaceAll('%', '%25').replaceAll(':', '%3A'));
}

/** A text without empty braces: in a Redis cluster they would say that no other braces of the key count. */
function whole(text: string): string {
  return text.replaceAll('{}', '{%7D');
}

/** Whether a keyspace ends where another one's keys begin: `app:cacheResult` lies inside `app`. */
export function isInside(keyspace: string): boolean {
  return kinds.some((kind) => `${keyspace}:`.includes(`:${kind}:`));
}
