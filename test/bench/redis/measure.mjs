import { setImmediate as turn } from 'node:timers/promises';
import { median } from '../measure.mjs';

/** Calls in flight. */
export const levels = [1, 64, 256];
const sliceMs = 50;
const keys = Array.from({ length: 1000 }, (_, i) => `user:${(i * 379) % 1000}`);

/** A candidate's call, and what its slices cost. */
class Entry {
  #load;
  #counts = new Map(levels.map((level) => [level, Math.max(64, level * 4)]));
  /** One list of slices for each level. */
  slices = new Map(levels.map((level) => [level, []]));
  commands = {};

  constructor(name, call, load) {
    this.name = name;
    this.call = call;
    this.#load = load;
  }

  /** Sees every key, then finds how many calls make a slice. */
  async warmUp(control) {
    await this.#load(this.call, keys, 3 * keys.length, 64, []);
    for (const level of levels) {
      for (let i = 0; i < 5; i++) {
        const { ms, count } = await this.slice(level, control);
        this.#counts.set(level, Math.max(level * 4, Math.round(Math.min(4, sliceMs / ms) * count)));
      }
    }
  }

  async slice(level, control) {
    const count = this.#counts.get(level);
    const latencies = [];
    await turn();
    globalThis.gc({ type: 'minor' });
    const serverBefore = await control.cpu();
    const before = process.cpuUsage();
    const started = performance.now();
    await this.#load(this.call, keys, count, level, latencies);
    const ms = performance.now() - started;
    const { user, system } = process.cpuUsage(before);
    const server = (await control.cpu()) - serverBefore;
    return { count, ms, p50: median(latencies), ops: count / ms, client: (user + system) / 1000 / count, server: server / count };
  }

  /** How often each command runs for a call, those of scripts too, with 256 in flight. */
  async countCommands(control) {
    const count = 256 * 20;
    await control.commands();
    await this.#load(this.call, keys, count, 256, []);
    const commands = await control.commands();
    for (const [name, { calls, usec }] of Object.entries(commands)) this.commands[name] = { perCall: calls / count, usec };
  }
}

/** Measures the calls in rounds: in each one every call has a slice at each level, and the next round begins with another. */
export async function measureOnRedis(calls, control, rounds) {
  const entries = [];
  for (const [name, call] of calls) {
    const { load } = await import(`./load.mjs?for=${encodeURIComponent(name)}`);
    entries.push(new Entry(name, call, load));
  }
  for (const entry of entries) await entry.warmUp(control);
  for (let round = 0; round < rounds; round++) {
    for (const level of levels) {
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[(round + i) % entries.length];
        entry.slices.get(level).push(await entry.slice(level, control));
      }
    }
  }
  for (const entry of entries) await entry.countCommands(control);
  return entries.map((entry) => rowOf(entry, entries[0]));
}

/** An entry's figures as ratios to another's, taken round by round: the median, and between what half of the rounds lie. */
function rowOf(entry, to) {
  const ratio = (level, field) => {
    const of = to.slices.get(level);
    return spread(entry.slices.get(level).map((slice, round) => slice[field] / of[round][field]));
  };
  const absolute = (level, field) => median(entry.slices.get(level).map((slice) => slice[field]));
  return {
    name: entry.name,
    alone: ratio(1, 'p50'),
    ops64: ratio(64, 'ops'),
    ops256: ratio(256, 'ops'),
    client: ratio(64, 'client'),
    client256: ratio(256, 'client'),
    server: ratio(64, 'server'),
    server256: ratio(256, 'server'),
    microseconds: {
      alone: absolute(1, 'p50') * 1000,
      client256: absolute(256, 'client') * 1000,
      server256: absolute(256, 'server') * 1000,
    },
    perSecond: { 1: absolute(1, 'ops') * 1000, 64: absolute(64, 'ops') * 1000, 256: absolute(256, 'ops') * 1000 },
    commands: entry.commands,
  };
}

function spread(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return { median: median(sorted), from: sorted[Math.floor(sorted.length / 4)], to: sorted[Math.floor((sorted.length * 3) / 4)] };
}
