import { BadGatewayException, Injectable } from '@nestjs/common';
import { premier } from './premier.js';

/** What the library knows of a book. */
export interface Book {
  readonly title: string;
  readonly pages: number | undefined;
}

const source = process.env['LIBRARY_URL'] ?? 'https://openlibrary.org';

/** Asks the library. The first policy is the outermost: what is kept needs none of the others. */
@Injectable()
export class Catalogue {
  @premier.cacheResult({ expireS: '10m', staleIfErrorS: '1d' })
  @premier.circuitBreaker({ failureThreshold: 3, recoveryTimeout: '30s', name: 'library' })
  @premier.retry({ maxAttempts: 2, wait: { base: '100ms' } })
  @premier.timeout('500ms')
  async find(isbn: string): Promise<Book | undefined> {
    const response = await fetch(`${source}/isbn/${isbn}.json`, { signal: premier.signal });
    if (response.ok) {
      const { title, number_of_pages: pages } = (await response.json()) as { title: string; number_of_pages?: number };
      return { title, pages };
    }
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    throw new BadGatewayException(`the library answered ${response.status}`);
  }
}
