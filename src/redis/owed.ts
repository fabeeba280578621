/** What is still to be done, and what can be cleared in its place. */
interface Debt {
  /** Where; a message to others has no prefix, and is sent when all else is done. */
  readonly prefix: string | undefined;
  readonly action: () => Promise<unknown>;
}

/** More than this, and a server that was away would be asked for minutes. */
const most = 10_000;

/** What a server that could not be reached is still to do: invalidations, which must not get lost. */
export class Owed {
  readonly #clear: (prefix: string) => Promise<void>;
  #debts = new Map<string, Debt>();

  constructor(clear: (prefix: string) => Promise<void>) {
    this.#clear = clear;
  }

  /** Remembers an action on keys below a prefix; one of an equal id takes the place of the earlier. Where there are too many, the prefixes are cleared instead. */
  add(id: string, debt: Debt): void {
    this.#debts.delete(id);
    this.#debts.set(id, debt);
    if (this.#debts.size <= most) return;
    const prefixes = new Set<string>();
    for (const { prefix } of this.#debts.values()) if (prefix !== undefined) prefixes.add(prefix);
    const messages = [...this.#debts].filter(([, { prefix }]) => prefix === undefined);
    const cleared = [...prefixes].map((prefix): [string, Debt] => [`clear ${prefix}`, { prefix, action: () => this.#clear(prefix) }]);
    this.#debts = new Map([...cleared, ...messages.slice(-most / 2)]);
  }

  /** Does it all. What fails stays owed, and rejects. */
  async settle(): Promise<void> {
    while (this.#debts.size > 0) {
      const changes = [...this.#debts].filter(([, { prefix }]) => prefix !== undefined);
      const some = (changes.length > 0 ? changes : [...this.#debts]).slice(0, 200);
      await Promise.all(
        some.map(async ([id, debt]) => {
          await debt.action();
          if (this.#debts.get(id) === debt) this.#debts.delete(id);
        }),
      );
    }
  }
}
