import type { PremierEvent } from 'premier';

/** An event as one readable line: `12:04:31  timed out          Catalog.find  after 0.5 s`. */
export function line(event: PremierEvent): string {
  const [what, more] = describe(event);
  const time = new Date(event.at).toTimeString().slice(0, 8);
  return `${time}  ${what.padEnd(17)}  ${event.name}  ${more}`.trimEnd();
}

function describe(event: PremierEvent): readonly [what: string, more: string] {
  switch (event.type) {
    case 'cacheHit':
      return ['hit', event.key];
    case 'cacheMiss':
      return ['miss', event.key];
    case 'throttled':
      return ['throttled', `${event.key}, free again in ${event.retryAfter.toFixed(1)} s`];
    case 'retried':
      return ['retried', `attempt ${event.attempt} failed (${messageOf(event.error)}), next in ${event.wait} s`];
    case 'retriesExhausted':
      return ['gave up', `after ${event.attempts} attempts`];
    case 'timedOut':
      return ['timed out', `after ${event.seconds} s`];
    case 'circuitOpened':
      return ['circuit opened', `for ${event.retryAfter} s`];
    case 'circuitHalfOpened':
      return ['circuit half-open', 'the next call is a probe'];
    case 'circuitClosed':
      return ['circuit closed', ''];
    case 'circuitRejected':
      return ['circuit refused', `next probe in ${event.retryAfter.toFixed(1)} s`];
    case 'storeDown':
      return ['store down', messageOf(event.error)];
    case 'storeUp':
      return ['store up', `after ${event.seconds.toFixed(1)} s`];
    default:
      return [event.type, ''];
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
