/**
 * A tree is what JSON can hold of a value: a text, a boolean, `null` and a finite number are themselves, an object is an object of
 * trees, and an array is a tag and its parts. So nothing that a value holds can look like a tag.
 */
export const tag = {
  array: 'A',
  bigint: 'I',
  boxed: 'P',
  bytes: 'V',
  date: 'D',
  error: 'E',
  map: 'M',
  number: 'N',
  record: 'O',
  regExp: 'R',
  searchParams: 'Q',
  set: 'S',
  sparse: 'H',
  undefined: 'U',
  url: 'L',
} as const;

/** The numbers that JSON has no word for. */
export const oddNumbers: ReadonlyMap<string, number> = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
]);

/** Makes an empty error of each built-in class. */
export const emptyErrors: ReadonlyMap<string, () => Error> = new Map<string, () => Error>([
  ['AggregateError', () => new AggregateError([])],
  ...[Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map(
    (ErrorClass) => [ErrorClass.name, () => new ErrorClass()] as const,
  ),
]);

/** What an error owns without showing it among its keys. */
export const hiddenKeys: readonly string[] = ['name', 'message', 'stack', 'cause', 'errors'];
