import { premier } from './premier.js';

/** What one of a currency is worth in others. */
export interface Rates {
  readonly base: string;
  readonly date: string;
  readonly rates: Readonly<Record<string, number>>;
}

/** Fastify answers an error with its `statusCode`. */
class RatesError extends Error {
  readonly statusCode = 502;
}

const source = process.env['RATES_URL'] ?? 'https://api.frankfurter.dev';

/** Asks the bank. The first policy is the outermost: what is kept needs none of the others. */
class Bank {
  @premier.cacheResult({ expireS: '10m', staleIfErrorS: '1d' })
  @premier.circuitBreaker({ failureThreshold: 3, recoveryTimeout: '30s' })
  @premier.retry({ maxAttempts: 2, wait: { base: '100ms' } })
  @premier.timeout('500ms')
  async ratesOf(base: string): Promise<Rates | undefined> {
    const response = await fetch(`${source}/v1/latest?base=${base}`, { signal: premier.signal });
    if (response.ok) return (await response.json()) as Rates;
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    throw new RatesError(`the bank answered ${response.status}`);
  }
}

export const bank = new Bank();
