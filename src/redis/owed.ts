import { isOutage } from './health.js';

/** What is still to be done, and what can be cleared in its place. */
export interface Debt {
  /** The server that it is owed to, as it is known now; none for what concerns all of them. */
  readonly server: () => string | undefined;
  /** Where; a message to others has no prefix, and is sent when all else is done. */
  readonly prefix: string | undefined;
  readonly action: () => Promise<unknown>;
  /** What is done in place of many such, where nothing can be cleared. */
  readonly instead?: { readonly id: string; readonly debt: Debt } | undefined;
}

/** More than this, and a server that was away would be asked for minutes. */
const most = 10_000;
/** How many are paid at a time, and how often to try what no server's return brought about, in milliseconds. */
const some = 200;
const again = 1000;

/** What servers that could not be reached are still to do: invalidations, which must not get lost. */
export class Owed {
  readonly #clear: (prefix: string) => Debt;
  readonly #up: (server: string) => boolean;
  #debts = new Map<string, Debt>();
  readonly #running = new Set<string>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(clear: (prefix: string) => Debt, up: (server: string) => boolean) {
    this.#clear = clear;
    this.#up = up;
  }

  /** Remembers a debt; one of an equal id takes the place of the earlier. Where there are too many, their prefixes are cleared instead. */
  add(id: string, debt: Debt): void {
    const clear = `clear ${debt.prefix}`;
    // What is going to be cleared need not be dropped as well.
    if (debt.prefix !== undefined && this.#debts.has(clear) && !this.#running.has(clear)) return;
    this.#debts.delete(id);
    this.#debts.set(id, debt);
    this.#timer ??= setInterval(() => void this.#retry(), again).unref();
    if (this.#debts.size <= most) return;
    const fewer = new Map<string, Debt>();
    for (const [key, one] of this.#debts) {
      // Below no prefix at all lie the keys of everybody.
      if (one.prefix) fewer.set(`clear ${one.prefix}`, this.#clear(one.prefix));
      else if (one.instead) fewer.set(one.instead.id, one.instead.debt);
      else fewer.set(key, one);
    }
    this.#debts = fewer;
  }

  /** Pays what is owed to a server. Rejects when that fails: it stays owed. */
  async settle(server: string): Promise<void> {
    await this.#pay((whose) => whose === server);
    // What concerns all of them must not keep this one waiting.
    await this.#pay((whose) => whose === undefined).catch(() => undefined);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Slots move: a debt may be due to a server that was never away. */
  async #retry(): Promise<void> {
    await this.#pay((whose) => whose === undefined || this.#up(whose)).catch(() => undefined);
    if (this.#debts.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #pay(due: (server: string | undefined) => boolean): Promise<void> {
    for (;;) {
      const mine = [...this.#debts].filter(([, { server }]) => due(server()));
      const changes = mine.filter(([, { prefix }]) => prefix !== undefined);
      const now = (changes.length > 0 ? changes : mine).slice(0, some);
      if (now.length === 0) return;
      await Promise.all(
        now.map(async ([id, debt]) => {
          this.#running.add(id);
          try {
            await debt.action();
          } catch (error) {
            // What a server refuses that is well, it will refuse for ever.
            if (isOutage(error)) throw error;
          } finally {
            this.#running.delete(id);
          }
          if (this.#debts.get(id) === debt) this.#debts.delete(id);
        }),
      );
    }
  }
}
