import cluster from 'node:cluster';
import { ConfigError } from '../gateway/config/configError.js';
import { watchFile } from '../gateway/config/watch.js';
import type { Io } from './io.js';
import { banner } from './serveBanner.js';
import { about, type ConfigText, configOf, reloadServing, type Serving, startServing, textOf, whyNot } from './serveGateway.js';
import { type ServePlan, servePlan, serveUsage, UsageError } from './servePlan.js';
import { sampleConfig, SampleUpstream } from './serveSample.js';
import { onSignals } from './signals.js';
import { runWorker } from './worker.js';
import { Workers } from './workers.js';

/** `premier serve`: runs the gateway until it is told to end. */
export async function serve(args: readonly string[], io: Io): Promise<number> {
  let plan: ServePlan | undefined;
  try {
    plan = servePlan(args, io);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`${error.message}\n\n${serveUsage}`);
    return 2;
  }
  if (plan === undefined) {
    io.out(serveUsage);
    return 0;
  }
  if (plan.workers > 1 && cluster.isWorker) return runWorker(plan, io);
  const sample = await sampleFor(plan, io);
  try {
    const text = sample ? sampleConfig(sample.url) : textOf(plan);
    return await (plan.workers > 1 ? new Workers(plan, io, text, sample !== undefined).run() : alone(plan, io, text, sample !== undefined));
  } catch (error) {
    io.err(whyNot(error, plan));
    return 1;
  } finally {
    sample?.close();
  }
}

/** Without a file, and where the environment names no upstream either, there is a sample to try. */
async function sampleFor(plan: ServePlan, { env }: Io): Promise<SampleUpstream | undefined> {
  if (plan.path !== undefined) return undefined;
  try {
    configOf(plan, undefined, env);
    return undefined;
  } catch (error) {
    const isEmpty =
      error instanceof ConfigError && error.issues.every(({ message }) => message.startsWith('there is nothing to forward to'));
    // What is wrong with the environment is told when it is read for good.
    return isEmpty ? SampleUpstream.start() : undefined;
  }
}

/** One process does it all. */
async function alone(plan: ServePlan, io: Io, text: ConfigText, sample: boolean): Promise<number> {
  const serving = await startServing(plan, configOf(plan, text, io.env));
  io.out(banner(plan, { ...about(serving), sample }));
  return new Promise((resolve) => {
    const reload = (): void => void reloadFile(plan, io, serving);
    const watch = plan.watch && plan.path !== undefined ? watchFile(plan.path, reload) : undefined;
    onSignals({
      stop() {
        watch?.close();
        serving.gateway.close().then(
          () => resolve(0),
          (error: unknown) => {
            io.err(whyNot(error, plan));
            resolve(1);
          },
        );
      },
      kill: () => process.exit(1),
      reload,
    });
  });
}

async function reloadFile(plan: ServePlan, io: Io, serving: Serving): Promise<void> {
  if (plan.path === undefined) return serving.gateway.log.warn('There is no file to reload');
  // The gateway has told why not.
  await reloadServing(serving, plan, () => textOf(plan), io.env).catch(() => undefined);
}
