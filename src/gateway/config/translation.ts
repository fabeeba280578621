/** What a translation comes to: our configuration, comments by the keys that they stand above, and notes. */
export interface Translation {
  readonly config: Record<string, unknown>;
  readonly comments: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}
