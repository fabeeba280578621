import { load } from './load.mjs';
import { open, others } from './processes.mjs';

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** One server with what its slices have shown. */
class Entry {
  cpu = [];
  rate = [];
  p50 = [];
  p99 = [];

  constructor(server, idle) {
    this.server = server;
    this.name = server.name;
    this.idle = idle;
  }

  async slice({ path, connections, seconds, each }) {
    const before = await this.server.usage();
    const result = await load(this.server.url + path, { connections, seconds });
    const after = await this.server.usage();
    return { ...result, cpu: (after.cpu - before.cpu) / each(result), peak: after.peak };
  }

  async measure(how) {
    const { cpu, p50, p99, peak, requests } = await this.slice(how);
    this.cpu.push(cpu);
    this.rate.push(requests / how.seconds);
    this.p50.push(p50);
    this.p99.push(p99);
    this.peak = peak;
  }

  /** The median of something by the same of another entry in the same round. */
  ratio(to, of) {
    return median(this[of].map((value, round) => value / to[of][round]));
  }
}

/** Asks once, and throws unless the answer is what the server is there for. */
async function prove({ name, url }, { path, length, proves }) {
  const response = await fetch(url + path);
  const body = await response.arrayBuffer();
  if (response.status !== 200 || body.byteLength !== length) {
    throw new Error(`${name}: ${response.status} with ${body.byteLength} bytes, not 200 with ${length}`);
  }
  proves?.(name, response);
}

/**
 * Measures servers in rounds: in each one every server has its slice, and the next round begins with another one. All of them run all the
 * time, but those that are not asked do nothing.
 */
export async function measure(names, { rounds, warmUp, ...how }) {
  const opened = [];
  try {
    const backend = await open('backend', { core: others });
    opened.push(backend);
    const entries = [];
    for (const [i, name] of names.entries()) {
      const server = await open(name.replace(/, again$/, ''), { target: backend.url });
      opened.push(server);
      await prove(server, how);
      await new Promise((resolve) => setTimeout(resolve, 300));
      entries.push(new Entry({ ...server, name: names[i] }, (await server.usage()).rss));
    }
    for (const entry of entries) {
      await entry.slice({ ...how, seconds: warmUp });
      await prove(entry.server, how);
    }
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < entries.length; i++) await entries[(round + i) % entries.length].measure(how);
    }
    return entries;
  } finally {
    for (const server of opened) await server.close();
  }
}
