import type { Premier } from 'premier';
import { askSupplier } from './askSupplier.js';

/** What the supplier knows of a book. */
export interface Book {
  readonly isbn: string;
  readonly title: string;
  readonly author: string;
}

/** Finds books. */
export type Catalog = ReturnType<typeof makeCatalog>;

/**
 * The supplier's catalog. The function around the class lets every test bring a Premier of its own; an application that has one
 * Premier writes such a class at the top of a module.
 */
export function makeCatalog({ premier, supplierUrl }: { premier: Premier; supplierUrl: string }) {
  class Catalog {
    /** The book, or `undefined` when the supplier has none with that ISBN. The first policy is the outermost. */
    @premier.cacheResult({ expireS: 30 })
    @premier.circuitBreaker({ failureThreshold: 2, recoveryTimeout: 5, shared: true })
    @premier.retry({ maxAttempts: 3, wait: [0.1, 0.2] })
    @premier.timeout(0.5)
    async find(isbn: string): Promise<Book | undefined> {
      const response = await askSupplier(`${supplierUrl}/books/${isbn}`, { signal: premier.signal });
      return response.status === 404 ? undefined : ((await response.json()) as Book);
    }
  }
  return new Catalog();
}
