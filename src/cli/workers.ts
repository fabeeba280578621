import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { type Clock, systemClock, type Timer } from '../core/clock.js';
import { watchFile } from '../gateway/config/watch.js';
import type { MetricsSnapshot } from '../observe/exposition.js';
import { Metrics } from '../observe/metrics.js';
import { Keeper } from './ipcKeeper.js';
import { messageOf } from './ipcConversation.js';
import type { StoreAsk } from './ipcStore.js';
import type { Io } from './io.js';
import { banner } from './serveBanner.js';
import { type ConfigText, textOf } from './serveGateway.js';
import type { ServePlan } from './servePlan.js';
import { onSignals } from './signals.js';
import type { Briefing, Counted } from './worker.js';
import { Member, type Ready } from './workersMember.js';

/** So many ends in a row before anybody listens mean that nobody ever will. */
const hopeless = 3;
/** A worker that lived for so long had started well, in milliseconds. */
const healthy = 10_000;
/** The wait before a worker is replaced, doubled with each one that ends soon after its start. */
const firstWait = 100;
const longestWait = 10_000;
/** How long a worker may take to build a new configuration, and to tell what it counted. */
const reloading = 30_000;
const telling = 1000;

/** The primary process of several that serve one port: keeps them running, counts for them, and passes on what concerns all. */
export class Workers {
  readonly #plan: ServePlan;
  readonly #io: Io;
  readonly #sample: boolean;
  readonly #clock: Clock = systemClock;
  readonly #keeper = new Keeper();
  readonly #adminToken = randomBytes(24).toString('hex');
  readonly #members = new Set<Member>();
  readonly #restarts = new Set<Timer>();
  /** The last configuration that was good: a worker that takes another's place starts with it, whatever stands in the file by now. */
  #text: ConfigText;
  #generation = 0;
  #reloads: Promise<void> = Promise.resolve();
  #gone: Promise<MetricsSnapshot> = Promise.resolve([]);
  #served = false;
  #port: number | undefined;
  #short = 0;
  #ending = false;
  #code = 0;
  #over: (code: number) => void = () => undefined;

  constructor(plan: ServePlan, io: Io, text: ConfigText, sample: boolean) {
    this.#plan = plan;
    this.#io = io;
    this.#text = text;
    this.#sample = sample;
  }

  /** Runs until it is told to end. Answers with the exit code. */
  run(): Promise<number> {
    // Structured clones instead of JSON: Infinity is an answer of limits, and bytes stay bytes.
    cluster.setupPrimary({ serialization: 'advanced' });
    const { path, watch, workers } = this.#plan;
    const reload = (): void => this.#reload();
    const watching = watch && path !== undefined ? watchFile(path, reload) : undefined;
    const unhear = onSignals({ stop: () => this.#end(0), kill: () => this.#killAll(), reload });
    return new Promise<number>((resolve) => {
      this.#over = resolve;
      for (let i = 0; i < workers; i++) this.#fork();
    }).finally(() => {
      watching?.close();
      unhear();
    });
  }

  #fork(): void {
    const member = new Member(cluster.fork(), this.#generation, {
      asked: (from, kind, body) => this.#asked(from, kind, body),
      told: (from, kind, body) => this.#told(from, kind, body),
      exited: (from, how) => this.#exited(from, how),
    });
    this.#members.add(member);
  }

  #asked(member: Member, kind: string, body: unknown): unknown {
    switch (kind) {
      case 'store':
        return this.#keeper.answer(body as readonly StoreAsk[], (what, key) => this.#tellOthers(member, what, key));
      case 'metrics':
        return this.#collect(member, body as MetricsSnapshot);
      case 'briefing':
        member.generation = this.#generation;
        member.port = this.#portToAsk();
        return { text: this.#text, adminToken: this.#adminToken, port: member.port } satisfies Briefing;
      case 'failed':
        member.failure = String(body);
        return undefined;
      default:
        throw new Error(`unknown question '${kind}'`);
    }
  }

  /** A free port is shared by all who ask for any: cluster knows it by that. Once they are gone, it has to be asked for by its number. */
  #portToAsk(): number {
    for (const { port } of this.#members) if (port !== undefined) return port;
    return this.#port ?? this.#plan.port;
  }

  #told(member: Member, kind: string, body: unknown): void {
    if (kind === 'ready') this.#ready(member, body as Ready);
    else if (kind === 'counted') member.snapshot = body as MetricsSnapshot;
    else if (kind === 'publish') for (const each of this.#members) each.conversation.tell('heard', body);
    else if (kind === 'leave' && !this.#ending) member.leave();
  }

  #tellOthers(member: Member, kind: string, body: unknown): void {
    for (const other of this.#members) if (other !== member) other.conversation.tell(kind, body);
  }

  #ready(member: Member, ready: Ready): void {
    member.ready = ready;
    this.#port = Number(new URL(ready.url).port) || this.#plan.port;
    if (this.#ending) return member.leave();
    // A reload passed it by while it started.
    if (member.generation !== this.#generation) void this.#renew(member, this.#text, this.#generation).catch(() => undefined);
    if (this.#served) return this.#log('INFO', `Worker ${member.pid} serves`);
    if ([...this.#members].filter((each) => each.ready !== undefined).length < this.#plan.workers) return;
    this.#served = true;
    this.#io.out(banner(this.#plan, { ...ready, sample: this.#sample }));
  }

  #exited(member: Member, how: string): void {
    this.#members.delete(member);
    const { snapshot } = member;
    // What it counted stays counted.
    if (snapshot) this.#gone = this.#gone.then((gone) => Metrics.fold([gone, snapshot]).catch(() => gone));
    if (this.#ending) {
      if (this.#members.size === 0) this.#over(this.#code);
      return;
    }
    const lived = this.#clock.monotonic() - member.since;
    this.#short = member.leaving || (member.ready && lived >= healthy) ? 0 : this.#short + 1;
    if (!this.#served && (member.failure !== undefined || this.#short >= hopeless)) return this.#giveUp(member, how);
    const wait = Math.min(longestWait, firstWait * 2 ** Math.max(0, this.#short - 1));
    this.#log('ERROR', `Worker ${member.pid} ended (${member.failure ?? how}); another one starts in ${wait / 1000} s`);
    const timer = this.#clock.setTimer(() => {
      this.#restarts.delete(timer);
      this.#fork();
    }, wait);
    this.#restarts.add(timer);
  }

  #giveUp({ failure }: Member, how: string): void {
    this.#io.err(failure ?? `premier serve: every worker ends before it listens (${how}); nothing is served`);
    this.#end(1);
  }

  /** What all have counted. Who does not answer in time counts with what was heard last. */
  async #collect(asking: Member, own: MetricsSnapshot): Promise<Counted> {
    asking.snapshot = own;
    await Promise.all(
      [...this.#members].map(async (member) => {
        if (member === asking || member.ready === undefined) return;
        const told = await member.conversation.ask('snapshot', undefined, telling).catch(() => undefined);
        if (told !== undefined) member.snapshot = told as MetricsSnapshot;
      }),
    );
    const live = [...this.#members].flatMap(({ snapshot }) => (snapshot ? [snapshot] : []));
    return { live, gone: [await this.#gone] };
  }

  /** One reload at a time, in the order in which they were asked for. */
  #reload(): void {
    this.#reloads = this.#reloads
      .then(() => this.#reloadAll())
      .catch((error: unknown) => this.#log('ERROR', `Configuration not reloaded: ${messageOf(error)}`));
  }

  async #reloadAll(): Promise<void> {
    if (this.#plan.path === undefined) return this.#log('WARN', 'There is no file to reload');
    const text = textOf(this.#plan);
    const [first, ...others] = [...this.#members].filter(({ ready, leaving }) => ready && !leaving);
    if (!first) throw new Error('no worker serves');
    const generation = this.#generation + 1;
    try {
      // One tries it. When it is bad, that one has said so, and the others never hear of it.
      await this.#renew(first, text, generation);
    } catch (error) {
      if (!this.#members.has(first)) throw error;
      return;
    }
    this.#text = text;
    this.#generation = generation;
    await Promise.allSettled(others.map((member) => this.#renew(member, text, generation)));
  }

  async #renew(member: Member, text: ConfigText, generation: number): Promise<void> {
    await member.conversation.ask('reload', { text }, reloading);
    member.generation = generation;
  }

  #end(code: number): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#code = code;
    for (const timer of this.#restarts) timer.clear();
    if (this.#members.size === 0) return this.#over(code);
    const within = Math.max(0, ...[...this.#members].map(({ ready }) => ready?.stopWithin ?? 0));
    for (const member of this.#members) member.leave();
    this.#clock.setTimer(() => this.#killAll(), within).unref();
  }

  #killAll(): void {
    this.#ending = true;
    this.#code = 1;
    for (const timer of this.#restarts) timer.clear();
    if (this.#members.size === 0) this.#over(1);
    for (const member of this.#members) member.kill();
  }

  #log(level: 'INFO' | 'WARN' | 'ERROR', message: string): void {
    this.#io.out(JSON.stringify({ level, timestamp: new Date(this.#clock.now()).toISOString(), message }));
  }
}
