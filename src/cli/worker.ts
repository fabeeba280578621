import process from 'node:process';
import { systemClock } from '../core/clock.js';
import type { MetricsSnapshot } from '../observe/exposition.js';
import { Metrics } from '../observe/metrics.js';
import { Conversation } from './ipcConversation.js';
import { IpcProvider } from './ipcProvider.js';
import type { Io } from './io.js';
import { about, type ConfigText, configOf, reloadServing, type Serving, startServing, whyNot } from './serveGateway.js';
import type { ServePlan } from './servePlan.js';
import type { Ready } from './workersMember.js';

/** What the primary process tells a worker before it starts. */
export interface Briefing {
  readonly text: ConfigText;
  readonly adminToken: string;
  /** The port to ask for. */
  readonly port: number;
}

/** What all workers have counted, and those that are gone. */
export interface Counted {
  readonly live: readonly MetricsSnapshot[];
  readonly gone: readonly MetricsSnapshot[];
}

/** How long the primary may take to collect what all have counted, in milliseconds. */
const collecting = 3000;
/** How often a worker says what it has counted, so that little is lost should it die. */
const telling = 5000;
/** How much longer than its grace a worker may take to end. */
const margin = 2000;

/** One of several processes that serve: told by the primary when to start, reload and end. When the primary dies, Node ends it. */
export async function runWorker(plan: ServePlan, io: Io): Promise<number> {
  const worker = new WorkerEnd(plan, io);
  // A terminal sends its signals to the primary too, which then says what to do.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  process.on('SIGTERM', () => worker.conversation.tell('leave', undefined));
  process.on('message', (message) => worker.conversation.received(message));
  try {
    await worker.start();
  } catch (error) {
    await worker.conversation.ask('failed', whyNot(error, plan), collecting).catch(() => undefined);
    process.exit(1);
  }
  // It ends by a word of the primary, or with it.
  return new Promise(() => undefined);
}

/** A worker's side of what it and the primary say to each other. */
class WorkerEnd {
  readonly conversation: Conversation;
  readonly #plan: ServePlan;
  readonly #io: Io;
  #serving: Serving | undefined;
  #provider: IpcProvider | undefined;

  constructor(plan: ServePlan, io: Io) {
    this.#plan = plan;
    this.#io = io;
    this.conversation = new Conversation({
      clock: systemClock,
      send: (message, sent) => void process.send?.(message, undefined, undefined, sent),
      asked: (kind, body) => this.#asked(kind, body),
      told: (kind, body) => this.#told(kind, body),
    });
  }

  async start(): Promise<void> {
    const { text, adminToken, port } = (await this.conversation.ask('briefing', undefined)) as Briefing;
    const config = configOf(this.#plan, text, this.#io.env);
    if (config.resolved.store.redis === undefined) this.#provider = new IpcProvider(this.conversation);
    const together = { provider: this.#provider, metricsText: () => this.#metricsText(), adminToken };
    const serving = await startServing({ ...this.#plan, port }, config, together);
    this.#serving = serving;
    const { grace, drain_delay } = config.resolved;
    const ready: Ready = { ...about(serving), stopWithin: grace + drain_delay + margin };
    this.conversation.tell('ready', ready);
    setInterval(() => this.#tellCounts(serving), telling).unref();
  }

  #asked(kind: string, body: unknown): unknown {
    const serving = this.#serving;
    if (serving === undefined) throw new Error('not started');
    switch (kind) {
      case 'snapshot':
        return serving.gateway.metrics.snapshot();
      case 'reload':
        return reloadServing(serving, this.#plan, () => (body as Pick<Briefing, 'text'>).text, this.#io.env);
      case 'stop':
        return stop(serving);
      default:
        throw new Error(`unknown question '${kind}'`);
    }
  }

  #told(kind: string, body: unknown): void {
    if (kind === 'heard') this.#provider?.heard(...(body as [channel: string, text: string]));
    else if (kind === 'exit') process.exit(0);
    else this.#provider?.dropped(kind as 'drop' | 'clear', body as string);
  }

  async #metricsText(): Promise<string> {
    const own = await (this.#serving as Serving).gateway.metrics.snapshot();
    const { live, gone } = (await this.conversation.ask('metrics', own, collecting)) as Counted;
    return Metrics.merge(live, gone);
  }

  #tellCounts({ gateway }: Serving): void {
    gateway.metrics.snapshot().then(
      (snapshot) => this.conversation.tell('counted', snapshot),
      () => undefined,
    );
  }
}

async function stop({ gateway }: Serving): Promise<MetricsSnapshot> {
  await gateway.close();
  return gateway.metrics.snapshot();
}
