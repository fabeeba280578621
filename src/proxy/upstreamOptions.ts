/** Who is asked next. */
export type BalanceName = 'round_robin' | 'random' | 'least_connections' | 'p2c' | 'consistent_hash';

/** When a server counts as well. Spans in milliseconds. */
export interface HealthOptions {
  readonly path?: string | undefined;
  readonly interval: number;
  readonly timeout: number;
  readonly healthy_after: number;
  readonly unhealthy_after: number;
  readonly status?: number | readonly number[] | undefined;
  readonly max_fails: number;
  readonly fail_duration: number;
  readonly slow_start: number;
}

/** How `https:` servers are trusted; files by their paths. */
export interface TlsOptions {
  readonly insecure: boolean;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly server_name?: string | undefined;
}

/** One pool of servers as the gateway's file has it, with its defaults filled in. Spans in milliseconds. */
export interface UpstreamOptions {
  readonly servers: readonly { readonly url: string; readonly weight: number }[];
  readonly balance: { readonly algorithm: BalanceName; readonly key: string };
  readonly sticky?: 'cookie' | { readonly cookie: string } | undefined;
  readonly health: HealthOptions;
  readonly connections: number;
  readonly connect_timeout: number;
  readonly keep_alive: number;
  readonly host: 'client' | 'server';
  readonly tls: TlsOptions;
}
