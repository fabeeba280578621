import type { Asker } from '../http/nodeRequest.js';

/** A function of what the framework hands to its handlers; one of a type of its own that is more exact will do. */
type Ask<Source> = { ask(source: Source): string | undefined }['ask'];

/** Who asks, where the app knows better than the connection. */
export interface AskerOptions<Source> {
  /** The client's address. @default what the framework believes, or `trusted_proxies` */
  readonly client?: Ask<Source> | undefined;
  /** Who it is: `key: 'consumer'` counts by it. */
  readonly consumer?: Ask<Source> | undefined;
}

/** Tells who asks, by the options, and by what the framework believes of the address. */
export function askerFrom<Source>({ client, consumer }: AskerOptions<Source>, believed: Ask<Source>): (source: object) => Asker {
  return (given) => {
    const source = given as Source;
    return { client: client?.(source) ?? believed(source), consumer: consumer?.(source) };
  };
}
