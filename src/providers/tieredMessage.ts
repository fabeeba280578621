/** What one process tells the others. */
export interface Message {
  readonly from: string;
  readonly key?: string;
  readonly prefix?: string;
  /** Whether nothing that is known may be used any more. */
  readonly all?: boolean;
  readonly tags?: { readonly prefix: string; readonly names: readonly string[]; readonly number?: number | undefined };
}

const isText = (value: unknown): boolean => typeof value === 'string';

/** What was told, if it is a message of this kind. */
export function messageIn(told: string): Message | undefined {
  try {
    const { from, key = '', prefix = '', tags } = JSON.parse(told) as Message;
    if (![from, key, prefix].every(isText)) return undefined;
    if (tags !== undefined) {
      const { prefix: where, names, number = 0 } = tags;
      if (!isText(where) || !Array.isArray(names) || !names.every(isText) || !Number.isSafeInteger(number)) return undefined;
    }
    return JSON.parse(told) as Message;
  } catch {
    return undefined;
  }
}
