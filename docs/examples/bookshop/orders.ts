import type { Premier } from 'premier';
import { askSupplier } from './askSupplier.js';

/** An order. The supplier takes each `id` once, so that sending it again is safe. */
export interface Order {
  readonly id: string;
  readonly isbn: string;
}

/** A plain function under two policies. */
export function makeSendOrder({ premier, supplierUrl }: { premier: Premier; supplierUrl: string }): (order: Order) => Promise<void> {
  const patient = premier.pipe(premier.retry({ maxAttempts: 3, wait: 0.1 }), premier.timeout(0.5));
  return patient(async function sendOrder({ id, isbn }: Order): Promise<void> {
    await askSupplier(`${supplierUrl}/orders/${id}`, { method: 'PUT', body: isbn, signal: premier.signal });
  });
}
