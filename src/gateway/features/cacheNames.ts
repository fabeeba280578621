/** What the name of a request field alone says to a cache. */
export const says = {
  nothing: 0,
  /** Its value often is a credential: what is answered may be for this caller alone. */
  secret: 1,
  /** It asks for another address or method than the request line, and some frameworks obey (CVE-2018-14773). */
  otherwise: 2,
} as const;

const secret =
  /(?:^|-)(?:(?:api|access|auth|subscription|functions)-?key|token|auth|authori[sz]ation|authentication|session(?:-?id)?|secret|assertion)$/;
const otherwise = /^x-(?:http-)?method(?:-override)?$|^x-(?:original|rewrite)-url$/;

/** Names are remembered as they are spelled; a client that invents names must not fill the memory. */
const known = new Map<string, number>();
const mostKnown = 1024;
const longestKnown = 64;

/** What a field says by its name, however that is spelled. */
export function meaningOf(name: string): number {
  const before = known.get(name);
  if (before !== undefined) return before;
  // CGI and its kin know no difference.
  const lower = name.toLowerCase().replaceAll('_', '-');
  const meaning = secret.test(lower) ? says.secret : otherwise.test(lower) ? says.otherwise : says.nothing;
  if (name.length <= longestKnown && known.size < mostKnown) known.set(name, meaning);
  return meaning;
}
