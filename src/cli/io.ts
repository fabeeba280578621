/** How a command talks to its surroundings. */
export interface Io {
  /** Writes a line, or several, to standard output. */
  out(text: string): void;
  /** The same to standard error. */
  err(text: string): void;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A command: takes what stands behind its name, answers with the exit code. */
export type Command = (args: readonly string[], io: Io) => Promise<number>;
