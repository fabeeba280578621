import { Refusal } from '../../core/policy.js';
import { matcher } from '../../http/client.js';
import { Problem } from '../../http/problem.js';
import type { Features } from '../config/featureSchemas.js';
import { exchangeOf, type Feature } from '../feature.js';

/** Who may come in before anybody asks who it is: by address and by method. */
export const access: Feature<NonNullable<Features['access']>> = {
  name: 'access',
  upgrades: true,
  create({ ip_allow, ip_deny, methods }, { place }) {
    if (ip_allow === undefined && ip_deny === undefined && methods === undefined) return [];
    const at = `${place.site.method}: access`;
    const allowed = ip_allow && matcher(ip_allow, `${at}.ip_allow`);
    const denied = ip_deny && matcher(ip_deny, `${at}.ip_deny`);
    const byAddress = allowed !== undefined || (ip_deny !== undefined && ip_deny.length > 0);
    const admitted = methods && new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods);
    const allow = admitted && Array.from(admitted).join(', ');
    return [
      {
        enter(call) {
          const { client, method } = exchangeOf(call);
          // A client that has hung up already has no address any more: it must not slip past a block by that.
          if (byAddress && (client === '' || denied?.(client) === true || allowed?.(client) === false))
            return new Refusal(new Problem('forbidden'));
          if (admitted?.has(method) === false) return new Refusal(new Problem('method_not_allowed', { headers: ['allow', allow ?? ''] }));
          return undefined;
        },
      },
    ];
  },
};
