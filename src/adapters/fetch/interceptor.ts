import type { Dispatcher } from 'undici';
import { schema } from '../../core/options.js';
import type { Runtime } from '../../core/policy.js';
import { Premier } from '../../premier.js';
import {
  clientFields,
  type ClientOptions,
  type ClientPolicies,
  type ClientRules,
  inherited,
  policyFields,
  rulesOf,
} from './clientOptions.js';
import { DispatchTrip } from './dispatchTrip.js';
import { HeldReply } from './heldReply.js';
import { Hosts } from './hosts.js';
import type { Transport } from './outgoing.js';
import { type Ends, pipelineOf } from './pipeline.js';

/** Options of `premierInterceptor`. */
export interface InterceptorOptions extends ClientPolicies, ClientOptions<ClientPolicies> {}

const ofInterceptor = schema<InterceptorOptions>('premierInterceptor')({ ...policyFields, ...clientFields('undici') });

/**
 * The policies of `createFetch`, but for the cache, as an interceptor of undici 7: `new Agent().compose(premierInterceptor({ … }))`. Upgrades
 * and CONNECT pass by. Throws `OptionsError` when the options are wrong.
 */
export function premierInterceptor(options: InterceptorOptions = {}): Dispatcher.DispatcherComposeInterceptor {
  const { premier = new Premier(), name, hosts, ...forAll } = ofInterceptor.parse(options);
  const plans: [host: string, plan: Plan][] = Object.entries(hosts ?? {}).map(([host, its]) => {
    const place = `premierInterceptor: "hosts.${host}"`;
    const policies = inherited<object>(forAll, schema<ClientPolicies>(place)(policyFields).parse(its));
    return [host, { name: `${name} ${host}`, rules: rulesOf(policies, place) }];
  });
  const others: Plan = { name, rules: rulesOf(forAll as ClientPolicies, 'premierInterceptor') };
  const table = new Hosts(others, Object.fromEntries(plans), 'premierInterceptor');
  return (dispatch) => {
    const ends = (runtime: Runtime): Ends<HeldReply> => ({ transport: transportOf(dispatch, runtime) });
    const runs = new Map(table.all.map((plan) => [plan, pipelineOf(premier, plan.name, plan.rules, ends)]));
    return (opts, handler) => {
      const address = addressOf(opts);
      const plan = address && table.of(address);
      const run = plan && runs.get(plan);
      if (run === undefined || opts.method === 'CONNECT' || opts.upgrade) return dispatch(opts, handler);
      const trip = new DispatchTrip(opts, address as URL, handler, plan?.rules.body);
      // Handlers abort by what they are given here: also while the request waits for a place.
      trip.begin();
      run(trip).then(
        (reply) => trip.deliver(reply),
        (error: unknown) => trip.fail(error),
      );
      return true;
    };
  };
}

/** What is done for a host. */
interface Plan {
  readonly name: string;
  readonly rules: ClientRules;
}

function transportOf(dispatch: Dispatcher.Dispatch, { clock }: Runtime): Transport<HeldReply> {
  return {
    send(trip, call) {
      const its = trip as DispatchTrip;
      return new Promise((resolve, reject) => {
        const held = new HeldReply(its, call, clock, resolve, reject);
        dispatch(its.options, held);
      });
    },
    statusOf: ({ status }) => status,
    retryAfterOf: ({ headers }) => {
      const said = headers['retry-after'];
      return Array.isArray(said) ? said[0] : said;
    },
    discard: (reply) => reply.discard(),
  };
}

/** A Client or a Pool has one origin, which it does not tell: its requests have the policies for all. */
function addressOf({ origin = 'http://dispatcher', path }: Dispatcher.DispatchOptions): URL | undefined {
  return URL.canParse(path, origin) ? new URL(path, origin) : undefined;
}
