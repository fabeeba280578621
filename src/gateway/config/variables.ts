/** The variables that `${NAME}` reads, as in `process.env`. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What a text came to: its value, the names that were read, and what is wrong with it. */
export interface Expanded {
  readonly text: string;
  /** Whether the text was one `${NAME}` and nothing else. */
  readonly whole: boolean;
  readonly names: readonly string[];
  readonly faults: readonly string[];
}

const reference = /\$\$\{|\$\{([^}]*)\}?/g;
const inner = /^([A-Za-z_]\w*)(?::-(.*))?$/s;

/**
 * Puts variables in: `${NAME}`, `${NAME:-default}` (also for an empty variable, as in a shell); `$${` stands for `${`.
 * What a variable holds is text and is never looked at again.
 */
export function expand(given: string, variables: Variables): Expanded | undefined {
  if (!given.includes('${')) return undefined;
  const names: string[] = [];
  const faults: string[] = [];
  let whole = false;
  const text = given.replaceAll(reference, (found, body: string | undefined) => {
    if (body === undefined) return '${';
    const parts = found.endsWith('}') ? inner.exec(body) : null;
    if (!parts) {
      faults.push(`\`${found}\` is no variable; write \`\${NAME}\` or \`\${NAME:-default}\`, and \`$\${\` for a plain \`\${\``);
      return '';
    }
    const [, name, fallback] = parts as unknown as [string, string, string | undefined];
    names.push(name);
    whole = found.length === given.length;
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (fallback !== undefined && (value === undefined || value === '')) return fallback;
    if (value === undefined) faults.push(`the variable \`${name}\` is not set; set it, or write \`\${${name}:-default}\``);
    return value ?? '';
  });
  return { text, whole, names, faults };
}
