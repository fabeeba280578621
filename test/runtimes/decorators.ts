import { Premier } from 'premier';
import { FakeClock } from 'premier/testing';

export const clock = new FakeClock();
export const premier = new Premier({ clock });

/** A class as users write it, with policies on its methods. Bun and Deno run this file as it is. */
export class Shop {
  found = 0;
  failures = 0;

  @premier.cacheResult({ expireS: 60 })
  async find(id: string): Promise<string> {
    this.found++;
    return `book ${id}`;
  }

  @premier.fallback('nothing')
  @premier.retry({ maxAttempts: 2, wait: 1 })
  async order(): Promise<string> {
    this.failures++;
    throw new Error('down');
  }

  @premier.fixedWindow({ quota: 1, duration: 60 })
  static async search(): Promise<string> {
    return this.name;
  }

  @premier.timeout(5)
  async slow(signals: AbortSignal[]): Promise<never> {
    signals.push(premier.signal);
    return new Promise<never>(() => undefined);
  }

  @premier.timeit({ logThreshold: 0, logger: () => undefined })
  sum(a: number, b: number): number {
    return a + b;
  }
}
