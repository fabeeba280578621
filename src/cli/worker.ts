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
  // A terminal sends its signals to the primary too, which then says what to do.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  process.on('SIGTERM', () => conversation.tell('leave', undefined));
  let serving: Serving | undefined;
  let provider: IpcProvider | undefined;
  const conversation: Conversation = new Conversation({
    clock: systemClock,
    send: (message, sent) => void process.send?.(message, undefined, undefined, sent),
    asked(kind, body) {
      if (serving === undefined) throw new Error('not started');
      switch (kind) {
        case 'snapshot':
          return serving.gateway.metrics.snapshot();
        case 'reload':
          return reloadServing(serving, plan, () => (body as Pick<Briefing, 'text'>).text, io.env);
        case 'stop':
          return stop(serving);
        default:
          throw new Error(`unknown question '${kind}'`);
      }
    },
    told(kind, body) {
      if (kind === 'heard') provider?.heard(...(body as [channel: string, text: string]));
      else if (kind === 'exit') process.exit(0);
      else provider?.dropped(kind as 'drop' | 'clear', body as string);
    },
  });
  process.on('message', (message) => conversation.received(message));
  try {
    const { text, adminToken, port } = (await conversation.ask('briefing', undefined)) as Briefing;
    const config = configOf(plan, text, io.env);
    if (config.resolved.store.redis === undefined) provider = new IpcProvider(conversation);
    const metricsText = async (): Promise<string> => {
      const own = await (serving as Serving).gateway.metrics.snapshot();
      const { live, gone } = (await conversation.ask('metrics', own, collecting)) as Counted;
      return Metrics.merge(live, gone);
    };
    serving = await startServing({ ...plan, port }, config, { provider, metricsText, adminToken });
  } catch (error) {
    await conversation.ask('failed', whyNot(error, plan), collecting).catch(() => undefined);
    process.exit(1);
  }
  const { gateway, config } = serving;
  const ready: Ready = { ...about(serving), stopWithin: config.resolved.grace + config.resolved.drain_delay + margin };
  conversation.tell('ready', ready);
  setInterval(() => {
    gateway.metrics.snapshot().then(
      (snapshot) => conversation.tell('counted', snapshot),
      () => undefined,
    );
  }, telling).unref();
  // It ends by a word of the primary, or with it.
  return new Promise(() => undefined);
}

async function stop({ gateway }: Serving): Promise<MetricsSnapshot> {
  await gateway.close();
  return gateway.metrics.snapshot();
}
