import type { FamilyInit, Value } from './family.js';

/** A circuit, as far as metrics tell of it. */
export interface CircuitReading {
  readonly name: string;
  readonly state: 'closed' | 'half_open' | 'open';
}

/** A pool of servers, as far as metrics tell of it. */
export interface UpstreamReading {
  readonly name: string;
  readonly servers: Iterable<ServerReading>;
}

/** One server of it. */
export interface ServerReading {
  readonly url: string;
  readonly up: boolean;
  /** Requests under way. */
  readonly active: number;
  /** Requests since it is known. */
  readonly requests: number;
  /** How many of them failed. */
  readonly failures: number;
}

const levels = { closed: 0, half_open: 1, open: 2 } as const;

/** What is told of circuits. */
export function circuitFamilies(circuits: () => Iterable<CircuitReading>): FamilyInit[] {
  return [
    {
      name: 'circuit_breaker_state',
      help: 'State of each circuit: 0 closed, 1 half open, 2 open.',
      type: 'gauge',
      aggregator: 'max',
      read: () => Array.from(circuits(), ({ name, state }) => ({ labels: { service: name }, value: levels[state] })),
    },
  ];
}

/** What is told of servers. */
export function upstreamFamilies(upstreams: () => Iterable<UpstreamReading>): FamilyInit[] {
  const read = (valueOf: (server: ServerReading) => number) => (): Value[] =>
    Array.from(upstreams()).flatMap(({ name, servers }) =>
      Array.from(servers, (server) => ({ labels: { upstream: name, server: server.url }, value: valueOf(server) })),
    );
  return [
    {
      name: 'upstream_up',
      help: 'Whether a server gets requests: 1 or 0.',
      type: 'gauge',
      aggregator: 'min',
      read: read(({ up }) => (up ? 1 : 0)),
    },
    { name: 'upstream_requests_in_flight', help: 'Requests that a server works at.', type: 'gauge', read: read(({ active }) => active) },
    { name: 'upstream_requests_total', help: 'Requests that a server got.', type: 'counter', read: read(({ requests }) => requests) },
    { name: 'upstream_failures_total', help: 'Requests that a server failed.', type: 'counter', read: read(({ failures }) => failures) },
  ];
}
