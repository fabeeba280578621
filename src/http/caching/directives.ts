/** The directives of a Cache-Control field: name in lower case to argument, empty where it has none. The first of a name counts. */
export type Directives = ReadonlyMap<string, string>;

/** Reads `Cache-Control` (RFC 9111 5.2) as strictly as a cache must: nothing inside a quoted argument is a directive. */
export function parseDirectives(field: string): Directives {
  const directives = new Map<string, string>();
  for (const [member] of field.matchAll(members)) {
    const equals = member.indexOf('=');
    const name = (equals === -1 ? member : member.slice(0, equals)).trim().toLowerCase();
    if (name === '' || directives.has(name)) continue;
    directives.set(name, equals === -1 ? '' : unquoted(member.slice(equals + 1).trimEnd()));
  }
  return directives;
}

const members = /(?:[^",]|"(?:[^"\\]|\\.)*(?:"|$))+/g;

function unquoted(argument: string): string {
  if (argument.length < 2 || !argument.startsWith('"') || !argument.endsWith('"')) return argument;
  return argument.slice(1, -1).replaceAll(/\\(.)/g, '$1');
}

/** What RFC 9111 1.2.2 makes of larger numbers. */
const mostSeconds = 2 ** 31;

/** A span in milliseconds; 0 where its argument is none (RFC 9111 4.2.1: what cannot be read is stale), nothing where it is absent. */
export function spanOf(directives: Directives, name: string): number | undefined {
  const argument = directives.get(name);
  if (argument === undefined) return undefined;
  return /^\d+$/.test(argument) ? Math.min(Number(argument), mostSeconds) * 1000 : 0;
}
