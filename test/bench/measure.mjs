import { setImmediate as turn } from 'node:timers/promises';

const warmUpMs = 150;

/** A call with a loop of its own, and how many of them make a slice. */
class Entry {
  nsPerCall = [];
  at = 0;

  constructor({ name, call, args, sync }, loops) {
    this.name = name;
    this.call = call;
    this.args = args;
    this.run = sync ? loops.loopSync : loops.loop;
    this.count = 16;
  }

  /** Runs a slice. CPU time, not the wall's: neighbours on the machine must not show. */
  async slice() {
    await turn();
    await turn();
    globalThis.gc({ type: 'minor' });
    const before = process.cpuUsage();
    this.at = await this.run(this.call, this.args, this.count, this.at);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  }

  /** Runs until the compiler has seen enough, and finds the count that takes `sliceMs`. */
  async warmUp(sliceMs) {
    // Every key has been seen before the clock runs, more than once: stores treat a key that came back differently.
    if (this.args.length > 1) await this.run(this.call, this.args, 3 * this.args.length, 0);
    let spent = 0;
    let wall = 0;
    while (spent < warmUpMs && wall < 4 * warmUpMs) {
      const started = performance.now();
      const ms = await this.slice();
      wall += performance.now() - started;
      spent += ms;
      if (ms < sliceMs / 2) this.count *= 2;
      else this.count = Math.max(1, Math.round((this.count * sliceMs) / ms));
    }
  }
}

/** Measures the calls in rounds: in each one every call has its slice, and the next round begins with another. */
export async function measure(calls, { rounds, sliceMs }) {
  const entries = [];
  for (const call of calls) entries.push(new Entry(call, await import(`./loop.mjs?for=${encodeURIComponent(call.name)}`)));
  for (const entry of entries) await entry.warmUp(sliceMs);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[(round + i) % entries.length];
      entry.nsPerCall.push(((await entry.slice()) * 1e6) / entry.count);
    }
  }
  return entries;
}

/** The median of an entry's ratios to another, taken round by round. */
export function ratio(entry, to) {
  return median(entry.nsPerCall.map((ns, round) => ns / to.nsPerCall[round]));
}

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
