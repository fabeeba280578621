import { type Clock, systemClock } from '../core/clock.js';
import type { Provider, Step } from '../core/provider.js';
import { ownMemory } from '../gateway/given.js';
import { messageOf } from './ipcConversation.js';
import { type StepText, type StoreAsk, type StoreReply, travelling } from './ipcStore.js';

/** Who hears that keys were dropped: every worker but the one that asked for it. */
export type Dropped = (kind: 'drop' | 'clear', key: string) => void;

/** The counters of all workers, in the memory of the primary process. */
export class Keeper {
  readonly #memory: Provider;

  constructor(clock: Clock = systemClock) {
    this.#memory = ownMemory(clock);
  }

  /** Answers one batch, in its order. */
  answer(asks: readonly StoreAsk[], dropped: Dropped): readonly StoreReply[] {
    return asks.map((ask): StoreReply => {
      try {
        return [this.#one(ask, dropped)];
      } catch (error) {
        return [undefined, messageOf(error)];
      }
    });
  }

  #one(ask: StoreAsk, dropped: Dropped): unknown {
    switch (ask[0]) {
      case 'step': {
        const { key, algorithm, params } = stepOf(ask[1]);
        return this.#memory.step(key, algorithm, params as never);
      }
      case 'all':
        return this.#memory.stepAll(ask[1].map(stepOf));
      case 'has':
        return this.#memory.has(ask[1]);
      case 'drop':
        dropped('drop', ask[1]);
        return this.#memory.delete(ask[1]);
      case 'clear':
        dropped('clear', ask[1]);
        return this.#memory.clear(ask[1]);
    }
  }
}

function stepOf([key, name, params]: StepText): Step {
  return { key, algorithm: travelling.get(name) as unknown as Step['algorithm'], params };
}
