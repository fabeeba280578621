import type { Call } from '../../core/call.js';
import type { Around, Next, Place, Runtime } from '../../core/policy.js';
import { bulkhead } from '../../policies/bulkhead.js';
import { tripOf } from './outgoing.js';

type Options = ReturnType<typeof bulkhead.options.parse>;

/** A bulkhead for each host, for as long as it is in use. */
export class Places implements Around {
  readonly #hosts = new Map<string, { readonly around: Around; users: number }>();
  readonly #make: () => Around;

  constructor(options: Options, runtime: Runtime, place: Place) {
    this.#make = () => bulkhead.create(options, runtime, place) as Around;
  }

  run(call: Call, next: Next): Promise<unknown> {
    const { host } = tripOf(call);
    let its = this.#hosts.get(host);
    if (its === undefined) this.#hosts.set(host, (its = { around: this.#make(), users: 0 }));
    const { around } = its;
    const used = its;
    used.users++;
    return around.run(call, next).finally(() => {
      if (--used.users === 0) this.#hosts.delete(host);
    });
  }
}
