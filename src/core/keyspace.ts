/**
 * The only place where keys are joined. A key is `<keyspace>:<what>:<name>:<rest>`; names are escaped, so that no name reaches into
 * its neighbour, and clearing `app` never touches `app2`.
 */

/** What Premier keeps in a provider. */
export type Kind = 'cacheResult' | 'throttle' | 'circuit' | 'tags' | 'lock';

/** The prefix of everything of one kind in a keyspace; with a name, of what one function or limiter keeps. */
export function prefixOf(keyspace: string, kind: Kind, name?: string): string {
  return name === undefined ? `${keyspace}:${kind}:` : `${keyspace}:${kind}:${escapePart(name)}:`;
}

/** A name in which no separator is left. */
export function escapePart(part: string): string {
  return part.replaceAll('%', '%25').replaceAll(':', '%3A');
}
