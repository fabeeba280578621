import type { Hearing, Subscription } from '../core/provider.js';

/** One server that keys can be scanned on. */
export interface ServerWire {
  /** As `serverOf` calls it. */
  readonly name: string;
  send(args: readonly string[]): Promise<unknown>;
}

/** A client, whoever made it: the little of it that is used here. */
export interface Wire {
  /** Sends one command to the server that has `key`. */
  send(key: string, args: readonly string[]): Promise<unknown>;
  /** Keys of one shard may travel in one command. */
  shardOf(key: string): number;
  /** The server that a shard lies on, as far as the client knows. */
  serverOf(shard: number): string;
  /** Every server that writes. */
  servers(): readonly ServerWire[];
  /** What the client itself puts before every key. */
  readonly keyPrefix: string;
  /** A server has been silent for long: the client is to look whether another took its place. */
  reconsider(): void;
  subscribe(channel: string, hearing: Hearing): Subscription;
  /** Ends a client that was opened here. */
  close(): Promise<void>;
}

/** A client of ioredis (5 or 6: plain, Cluster or Sentinel) or of node-redis (plain, cluster or sentinel), by what it can do. */
export type RedisClient =
  | { readonly call: (...args: never[]) => unknown; readonly duplicate: (...args: never[]) => unknown }
  | { readonly sendCommand: (...args: never[]) => unknown };
