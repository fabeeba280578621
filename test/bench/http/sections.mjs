import { measure, median } from './measure.mjs';
import { slowReaders } from './slowReaders.mjs';

const hand = 'hand-written';
const limitPeer = 'express, express-rate-limit';
const peers = ['@fastify/http-proxy', 'httpxy', 'http-proxy-3'];
const MB = 1024 ** 2;
const small = { path: '/small', length: 1024, connections: 50, each: ({ requests }) => requests };
const big = { path: '/big', length: 10 * MB, connections: 4, each: ({ bytes }) => bytes / MB };

const us = { title: 'CPU µs', of: (entry) => median(entry.cpu), digits: 1 };
const rate = { title: 'req/s', of: (entry) => median(entry.rate), digits: 0 };
const p50 = { title: 'p50 ms', of: (entry) => median(entry.p50), digits: 2 };
const p99 = { title: 'p99 ms', of: (entry) => median(entry.p99), digits: 1 };
const idle = { title: 'idle MB', of: (entry) => entry.idle / MB, digits: 0 };
const peak = { title: 'peak MB', of: (entry) => entry.peak / MB, digits: 0 };
const times = (to) => ({ title: `x ${to}`, of: (entry, all) => entry.ratio(named(all, to), 'cpu'), digits: 2 });
const added = { title: 'added µs', of: (entry, all) => addedTo(entry, all), digits: 1 };

export const named = (all, name) => all.find((entry) => entry.name === name);

/** What a server costs more than the app alone, round by round. */
function addedTo(entry, all) {
  const app = named(all, entry.name.split(',')[0]);
  return median(entry.cpu.map((cpu, round) => cpu - app.cpu[round]));
}

const cpu = (of, to, atMost) => ({ what: `CPU of ${of}`, to, atMost, value: (all) => named(all, of).ratio(named(all, to), 'cpu') });
const field = (what, key, of, to, atMost) => ({
  what: `${what} of ${of}`,
  to,
  atMost,
  value: (all) => named(all, of)[key] / named(all, to)[key],
});
/** What it adds, beside what express-rate-limit adds to Express: microseconds are another thing on every machine. */
const adds = (of, atMost) => ({
  what: `what ${of} adds`,
  to: limitPeer,
  atMost,
  value: (all) => addedTo(named(all, of), all) / addedTo(named(all, limitPeer), all),
});

/** That a limited answer says so: what costs time must have been done. */
function limited(name, { headers }) {
  const told = headers.get('ratelimit') ?? headers.get('x-ratelimit-limit');
  if (/premier 4|everything|, /.test(name) && told === null) throw new Error(`${name}: the rate limit says nothing`);
}

export const sections = [
  {
    name: 'proxy',
    title: '1 KiB answer through a proxy, 50 connections; CPU per request',
    columns: [us, times(hand), rate, p50, p99, idle, peak],
    run: (how) =>
      measure([hand, `${hand}, again`, 'premier bare', 'premier 4 policies', 'premier everything', ...peers], {
        ...small,
        ...how,
        proves: (name, response) => name.startsWith('premier') && limited(name, response),
      }),
    goals: [
      cpu('premier bare', hand, 1.15),
      cpu('premier bare', '@fastify/http-proxy', 0.7),
      cpu('premier bare', 'httpxy', 0.65),
      cpu('premier bare', 'http-proxy-3', 0.55),
      cpu('premier 4 policies', hand, 1.3),
      cpu('premier everything', hand, 1.5),
      {
        what: 'p99 of premier bare',
        to: hand,
        atMost: 1.3,
        value: (all) => named(all, 'premier bare').ratio(named(all, hand), 'p99'),
      },
      field('idle memory', 'idle', 'premier bare', hand, 1.2),
    ],
  },
  {
    name: 'bulk',
    title: '10 MB answer through a proxy, 4 connections; CPU per MB',
    columns: [us, times(hand), idle, peak],
    run: (how) => measure([hand, `${hand}, again`, 'premier bare', ...peers], { ...big, ...how }),
    goals: [cpu('premier bare', hand, 1.1), field('peak memory', 'peak', 'premier bare', hand, 1.2)],
  },
  {
    name: 'cached',
    title: '1 KiB answer from the cache, 50 connections, beside a server that writes it',
    columns: [us, times('node:http'), rate, p50, p99, idle],
    run: (how) => measure(['node:http', 'premier cached'], { ...small, ...how }),
    goals: [cpu('premier cached', 'node:http', 1.25)],
  },
  {
    name: 'middleware',
    title: 'a rate limit in front of an app; CPU per request',
    columns: [us, added, rate, p99],
    run: (how) =>
      measure(
        [
          'express',
          limitPeer,
          'express, premier',
          'express, premier/express',
          'fastify',
          'fastify, premier',
          'fastify, premier/fastify',
          'hono',
          'hono, premier',
          'hono, premier/hono',
          'hono, premier in front of its fetch',
        ],
        {
          ...small,
          ...how,
          proves: (name, response) => name.includes(',') && limited(name, response),
        },
      ),
    // 10, 4 and 4 µs where express-rate-limit takes 32.
    goals: [adds('express, premier', 0.31), adds('fastify, premier', 0.125), adds('hono, premier', 0.125)],
  },
  {
    name: 'routes',
    title: 'an app behind many paths, of which the last one is asked for',
    columns: [us, times('premier 10 paths'), rate],
    run: (how) => measure(['node:http', 'premier 10 paths', 'premier 2000 paths'], { ...small, ...how }),
    goals: [cpu('premier 2000 paths', 'premier 10 paths', 1.05)],
  },
  {
    name: 'slow',
    title: '100 clients that ask for 10 MB each and do not read',
    columns: [idle, peak],
    run: () => slowReaders([hand, 'premier bare', ...peers]),
    goals: [field('peak memory', 'peak', 'premier bare', hand, 1.2)],
  },
];
