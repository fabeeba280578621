import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** One import in `src`: from which file, of which file or package. Types count too. */
export interface Import {
  readonly from: string;
  readonly of: string;
}

/** Every import below `src`. */
export function importsOf(root = 'src'): readonly Import[] {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return files.flatMap((file) => {
    const from = join(root, file);
    const text = readFileSync(from, 'utf8');
    return [...text.matchAll(/^\s*(?:import|export)\b[^;]*?from '([^']+)'|^import '([^']+)'/gm)].map((match): Import => {
      const named = (match[1] ?? match[2]) as string;
      return { from, of: named.startsWith('.') ? normalize(join(dirname(from), named)).replace(/\.js$/, '.ts') : named };
    });
  });
}
