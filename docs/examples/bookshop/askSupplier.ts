import { HttpError } from './errors.js';

/** One request to the supplier. Throws a 502 when it cannot be reached or answers that it failed. */
export async function askSupplier(url: string, request: RequestInit): Promise<Response> {
  const response = await fetch(url, request).catch((cause: unknown) => {
    throw new HttpError(502, 'SUPPLIER_UNREACHABLE', 'the supplier cannot be reached', {}, { cause });
  });
  if (response.status < 500) return response;
  await response.body?.cancel();
  throw new HttpError(502, 'SUPPLIER_FAILED', `the supplier answered ${response.status}`);
}
