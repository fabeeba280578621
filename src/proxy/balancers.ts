import type { Exchange } from '../http/exchange.js';
import { hashOf, mixed } from './hash.js';
import type { Server } from './server.js';
import type { BalanceName } from './upstreamOptions.js';

/** Picks one of the servers that can be asked; there is at least one. `keyOf` tells what a hash goes by. */
export type Balancer = (
  servers: readonly Server[],
  random: () => number,
  exchange: Exchange,
  keyOf: (exchange: Exchange) => string,
) => Server;

/** Smooth weighted round robin, as nginx has it: every turn each gains its share, and the richest pays for all. */
const roundRobin: Balancer = (servers) => {
  let total = 0;
  let best = servers[0] as Server;
  for (const server of servers) {
    server.turn += server.share;
    total += server.share;
    if (server.turn > best.turn) best = server;
  }
  best.turn -= total;
  return best;
};

const random: Balancer = (servers, draw) => {
  let total = 0;
  for (const { share } of servers) total += share;
  let left = draw() * total;
  for (const server of servers) {
    left -= server.share;
    if (left < 0) return server;
  }
  return servers.at(-1) as Server;
};

/** The fewest requests under way for its share. Where several are alike, the search begins anywhere, so that none is always first. */
const leastConnections: Balancer = (servers, draw) => {
  const from = Math.floor(draw() * servers.length);
  let best = servers[from] as Server;
  for (let i = 1; i < servers.length; i++) {
    const server = servers[(from + i) % servers.length] as Server;
    if ((server.active + 1) * best.share < (best.active + 1) * server.share) best = server;
  }
  return best;
};

/** Two at random, and of these the one that should answer sooner (Mitzenmacher 2001; peak EWMA as in Finagle). */
const p2c: Balancer = (servers, draw) => {
  const first = Math.floor(draw() * servers.length);
  if (servers.length === 1) return servers[first] as Server;
  const second = (first + 1 + Math.floor(draw() * (servers.length - 1))) % servers.length;
  const [a, b] = [servers[first] as Server, servers[second] as Server];
  return costOf(a) <= costOf(b) ? a : b;
};

/** What a server costs that has requests under way and has never answered one, in milliseconds. */
const unknown = 1000;

function costOf({ latency, active, share }: Server): number {
  if (latency === 0) return active === 0 ? 0 : (unknown * (active + 1)) / share;
  return (latency * (active + 1)) / share;
}

/** Weighted rendezvous hashing (Thaler and Ravishankar 1998): a server that goes moves its own keys and no others. */
const consistentHash: Balancer = (servers, _draw, exchange, keyOf) => {
  const hashed = hashOf(keyOf(exchange));
  let best = servers[0] as Server;
  let highest = -Infinity;
  for (const server of servers) {
    const score = -server.weight / Math.log((mixed(hashed ^ server.seed) + 0.5) / 2 ** 32);
    if (score <= highest) continue;
    highest = score;
    best = server;
  }
  return best;
};

/** Every balancer by the name that it has in a file. */
export const balancers: Readonly<Record<BalanceName, Balancer>> = {
  round_robin: roundRobin,
  random,
  least_connections: leastConnections,
  p2c,
  consistent_hash: consistentHash,
};
