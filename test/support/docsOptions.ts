import { type Field, invalid } from '../../src/core/options.js';
import { codeWords, table } from './docs.js';

/** What is read of a policy: its name and its options. */
export interface Definition {
  readonly name: string;
  readonly options: { readonly fields: Readonly<Record<string, Field<unknown>>> };
}

/** What a section `## Options` says wrongly about the options of a policy: the first table is theirs, `### window` has those inside `window`. */
export function complaints({ options: { fields } }: Definition, lines: readonly string[]): string[] {
  const rows = new Map(table(lines).map(([option = '', given = '']) => [codeWords(option)[0] ?? option, given]));
  const known = Object.entries(fields);
  return [
    ...[...rows.keys()].filter((option) => !(option in fields)).map((option) => `there is no option "${option}": take it out`),
    ...known.flatMap(([option, field]) => {
      const given = rows.get(option);
      return given === undefined ? [`option "${option}" is missing`] : complaint(option, given, wanted(field));
    }),
    ...known.flatMap(([option, field]) => inner(option, field, lines)),
  ];
}

/** The options inside an option, such as `window.minCalls`. */
function inner(option: string, field: Field<unknown>, lines: readonly string[]): string[] {
  const names = /an object with ([\w, ]+)$/.exec(field.wants)?.[1]?.split(', ');
  if (!names) return [];
  const start = lines.indexOf(`### ${option}`);
  if (start === -1) return [`the options inside "${option}" need a heading "### ${option}" with a table of ${names.join(', ')}`];
  const rows = new Map(table(lines.slice(start)).map(([name = '', given = '']) => [codeWords(name)[0] ?? name, given]));
  const read = (given: object): Readonly<Record<string, unknown>> | undefined => {
    try {
      const parsed = field.parse(given, `policy: option "${option}"`);
      return parsed === invalid ? undefined : (parsed as Record<string, unknown>);
    } catch {
      return undefined;
    }
  };
  const defaults = read({});
  // A duration is resolved to milliseconds; only a duration takes a text with a unit.
  const defaultOf = (name: string, value: unknown): unknown => (typeof value === 'number' && read({ [name]: '1s' }) ? value / 1000 : value);
  return [
    ...[...rows.keys()].filter((name) => !names.includes(name)).map((name) => `### ${option}: there is no option "${name}": take it out`),
    ...names.flatMap((name) => {
      const given = rows.get(name);
      if (given === undefined) return [`### ${option}: option "${name}" is missing`];
      return defaults ? complaint(`${option}.${name}`, given, shown(defaultOf(name, defaults[name]))) : [];
    }),
  ];
}

/** What the column "Default" has to say: `required`, or a value; nothing is known of a default that the policy itself fills in. */
function wanted(field: Field<unknown>): string | undefined {
  if (field.required) return 'required';
  const inSeconds = field.wants.includes('seconds as a number') && typeof field.default === 'number';
  return shown(inSeconds ? field.default / 1000 : field.default);
}

function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' ? `\`'${value}'\`` : `\`${String(value)}\``;
}

function complaint(option: string, given: string, expected: string | undefined): string[] {
  if (expected === undefined) return given === 'required' ? [`option "${option}" is not required`] : [];
  return given === expected ? [] : [`the default of "${option}" is ${expected} (the page says ${given === '' ? 'nothing' : given})`];
}
